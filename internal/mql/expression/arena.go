package expression

// arena hands out bytes that all become free at once. Chunks never move, so that what was handed out stays valid.
type arena struct {
	chunks [][]byte // the length of a chunk is what is used of it
	at     int      // the chunk in use; those after it are empty
	used   int      // bytes handed out since the last reset
}

type arenaMark struct{ at, length, used int }

const (
	firstChunk  = 4 << 10
	maxRetained = 4 << 20 // what reset keeps for the next document
)

func (a *arena) alloc(n int) []byte {
	a.used += n
	for ; a.at < len(a.chunks); a.at++ {
		c := a.chunks[a.at]
		if n <= cap(c)-len(c) {
			a.chunks[a.at] = c[:len(c)+n]
			return c[len(c) : len(c)+n : len(c)+n]
		}
	}
	size := firstChunk
	if last := len(a.chunks); last > 0 {
		size = min(2*cap(a.chunks[last-1]), maxRetained/4)
	}
	chunk := make([]byte, n, max(size, n))
	a.chunks = append(a.chunks, chunk)
	a.at = len(a.chunks) - 1
	return chunk[:n:n]
}

func (a *arena) reset() {
	kept := 0
	for i, c := range a.chunks {
		if kept += cap(c); kept > maxRetained && i > 0 {
			clear(a.chunks[i:])
			a.chunks = a.chunks[:i]
			break
		}
		a.chunks[i] = c[:0]
	}
	a.at, a.used = 0, 0
}

func (a *arena) mark() arenaMark {
	m := arenaMark{at: a.at, used: a.used}
	if a.at < len(a.chunks) {
		m.length = len(a.chunks[a.at])
	}
	return m
}

func (a *arena) release(m arenaMark) {
	for i := m.at; i <= a.at && i < len(a.chunks); i++ {
		length := 0
		if i == m.at {
			length = m.length
		}
		a.chunks[i] = a.chunks[i][:length]
	}
	a.at, a.used = m.at, m.used
}
