package failover

import (
	"sync"
	"time"
)

// pulse tells when somebody last went on, and the longest time in which he did not.
type pulse struct {
	mu      sync.Mutex
	last    time.Time
	longest time.Duration // since begin
	ever    time.Duration // of all that end returned
	beat    chan struct{} // closed at the next one; nil: nobody waits
}

// tick says that somebody went on.
func (p *pulse) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.longest = max(p.longest, now.Sub(p.last))
	p.last = now
	if p.beat != nil {
		close(p.beat)
		p.beat = nil
	}
}

// next is closed when somebody has gone on since it was called.
func (p *pulse) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.beat == nil {
		p.beat = make(chan struct{})
	}
	return p.beat
}

func (p *pulse) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.longest, p.last = 0, time.Now()
}

func (p *pulse) end() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ever = max(p.ever, p.longest)
	return p.longest.Round(10 * time.Millisecond)
}

func (p *pulse) worst() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ever.Round(10 * time.Millisecond)
}
