package socket

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// longestSpin is how long a connection's goroutine looks for the next message before it sleeps. To wake a client takes up to half of that
	// on a virtual machine, to wake the server again as long.
	longestSpin = 100 * time.Microsecond
	// longestRest is for how many messages nobody looks after it was in vain again and again.
	longestRest = 1 << 10
)

// Lone tells whether one connection of a server alone is in use: others would need the processor that it takes to spin.
type Lone struct {
	last  atomic.Pointer[spin]
	never bool // there is one processor
}

// NewLone is for all connections of a server.
func NewLone() *Lone { return &Lone{never: min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) == 1} }

// spin decides whether a connection's goroutine spins, which is to look again and again, for its client's next message. A client that
// sends one as soon as it has a reply, and is the only one that does, gets the next reply about a third earlier, because waking
// a thread takes as long as the command. It belongs to who reads.
type spin struct {
	lone   *Lone
	alone  bool // the last message of all was this connection's too
	rest   int  // for so many messages it does not spin
	inVain int  // how long the last rest was
}

// came notes that a message came.
func (s *spin) came() { s.alone = s.lone.last.Swap(s) == s }

// worth reports whether to spin now.
func (s *spin) worth() bool {
	if !s.alone || s.lone.never {
		return false
	}
	if s.rest > 0 {
		s.rest--
		return false
	}
	return true
}

// ended notes whether spinning was of use. Where it is about as often in vain, it becomes rare.
func (s *spin) ended(came bool) {
	if came {
		s.inVain /= 4
		return
	}
	s.inVain = min(2*s.inVain+1, longestRest)
	s.rest = s.inVain
}
