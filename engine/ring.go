package engine

import "sync"

// ringSizes are the sizes of a ring's buffer; the last is the bound.
var ringSizes = [...]int{4 << 10, 64 << 10, 256 << 10}

const (
	ringBound = 256 << 10
	// roomWorthWaking is the room that a blocked writer waits for, so that a reader in small steps does not wake it at each.
	roomWorthWaking = ringBound / 4
)

var ringPools [len(ringSizes)]sync.Pool

// ring is a bounded queue of bytes. It takes a buffer when bytes come and gives it back when all are read.
type ring struct {
	buf   *[]byte
	size  int // index of ringSizes
	start int
	count int
}

// room returns how many bytes can be written.
func (r *ring) room() int { return ringBound - r.count }

// write appends as much of b as there is room for and returns how much that was.
func (r *ring) write(b []byte) int {
	b = b[:min(len(b), r.room())]
	if len(b) == 0 {
		return 0
	}
	r.reserve(r.count + len(b))
	buf := *r.buf
	end := (r.start + r.count) % len(buf)
	n := copy(buf[end:], b)
	copy(buf, b[n:])
	r.count += len(b)
	return len(b)
}

// read takes bytes from the front.
func (r *ring) read(b []byte) int {
	b = b[:min(len(b), r.count)]
	if len(b) == 0 {
		return 0
	}
	buf := *r.buf
	n := copy(b, buf[r.start:])
	copy(b[n:], buf)
	r.start = (r.start + len(b)) % len(buf)
	r.count -= len(b)
	if r.count == 0 {
		r.clear()
	}
	return len(b)
}

// reserve makes sure that the buffer holds n bytes.
func (r *ring) reserve(n int) {
	if r.buf != nil && n <= len(*r.buf) {
		return
	}
	size := 0
	for ringSizes[size] < n {
		size++
	}
	larger, pooled := ringPools[size].Get().(*[]byte)
	if !pooled {
		b := make([]byte, ringSizes[size])
		larger = &b
	}
	count := r.count
	if count > 0 {
		r.read((*larger)[:count])
	} else {
		r.clear()
	}
	*r = ring{buf: larger, size: size, count: count}
}

// clear drops what is there and gives the buffer back.
func (r *ring) clear() {
	if r.buf != nil {
		ringPools[r.size].Put(r.buf)
	}
	*r = ring{}
}
