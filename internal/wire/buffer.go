package wire

import "sync"

// Buffers come in sizes four times apart, so that one that grows with the bytes that arrive passes from size to size, and so
// that a small message never holds a large buffer.
const (
	smallestBuffer = 1 << 10
	largestPooled  = 4 << 20 // larger ones are left to the garbage collector
	bufferGrowth   = 4
	bufferSizes    = 7
)

// unprovenBytes is how much is set aside for a message on its header's word alone.
const unprovenBytes = 64 << 10

var bufferPools [bufferSizes]sync.Pool

// buffer is a box around bytes: pools hold pointers, and the box spares an allocation each time.
type buffer struct{ b []byte }

// getBuffer returns an empty buffer with room for n bytes.
func getBuffer(n int) *buffer {
	size := smallestBuffer
	for i := range bufferPools {
		if n <= size {
			if buf, ok := bufferPools[i].Get().(*buffer); ok {
				return buf
			}
			return &buffer{b: make([]byte, 0, size)}
		}
		size *= bufferGrowth
	}
	return &buffer{b: make([]byte, 0, n)}
}

// release gives the buffer back. It goes to the pool of the largest size that it still fulfils, since appending may have moved
// its bytes to an array of any size.
func (buf *buffer) release() {
	if cap(buf.b) > largestPooled || cap(buf.b) < smallestBuffer {
		return
	}
	i := 0
	for size := smallestBuffer * bufferGrowth; size <= cap(buf.b); size *= bufferGrowth {
		i++
	}
	buf.b = buf.b[:0]
	bufferPools[i].Put(buf)
}

// grow returns a buffer with room for n bytes that holds what buf held, and gives buf back.
func (buf *buffer) grow(n int) *buffer {
	larger := getBuffer(n)
	larger.b = append(larger.b, buf.b...)
	buf.release()
	return larger
}
