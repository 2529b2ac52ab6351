// Package badnet is a network for tests on which connections are refused, cut, cut in the middle of a message, and late, at
// random or on request. It is put into a client as the driver's Dialer.
package badnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Dialer opens the connections beneath.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Rates say how likely faults are.
type Rates struct {
	Refuse   float64       // of a new connection
	Cut      float64       // of a message that was sent: the connection ends in place of the answer
	Truncate float64       // of an answer: the connection ends within it
	Lose     float64       // of a message that is to be sent: the connection ends within it
	Delay    float64       // of an answer
	MaxDelay time.Duration // of one that is delayed
}

// Network is a client's view of the network. Everything it does at random follows from the seed and from the order in which
// connections are opened.
type Network struct {
	inner  Dialer
	seed   uint64
	rates  Rates
	struck func(kind string)
	calm   atomic.Bool
	dialed atomic.Uint64

	mu       sync.Mutex
	isolated map[string]*isolation
	conns    map[*conn]struct{}
}

// isolation is how an address is cut off.
type isolation struct {
	silent bool          // nothing arrives; otherwise connections are refused
	over   chan struct{} // closed when it ends
}

// New returns a network above inner, on which faults happen at these rates. struck, which may be nil, hears of each, from any goroutine.
func New(inner Dialer, seed uint64, rates Rates, struck func(kind string)) *Network {
	if struck == nil {
		struck = func(string) {}
	}
	return &Network{inner: inner, seed: seed, rates: rates, struck: struck, isolated: map[string]*isolation{}, conns: map[*conn]struct{}{}}
}

// Calm ends the faults that happen at random.
func (n *Network) Calm() { n.calm.Store(true) }

// Isolate cuts an address off until Heal. Silently: whatever comes from there waits, and new connections hang. Otherwise
// connections are reset, and new ones refused.
func (n *Network) Isolate(address string, silent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.isolated[address] = &isolation{silent: silent, over: make(chan struct{})}
	if silent {
		return
	}
	for c := range n.conns {
		if c.address == address {
			_ = c.Conn.Close()
		}
	}
}

// Heal ends what Isolate began.
func (n *Network) Heal(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if cut := n.isolated[address]; cut != nil {
		close(cut.over)
		delete(n.isolated, address)
	}
}

func (n *Network) isolation(address string) *isolation {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.isolated[address]
}

// DialContext opens a connection, or does not.
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if cut := n.isolation(address); cut != nil {
		if !cut.silent {
			return nil, fmt.Errorf("%s is cut off: %w", address, syscall.ECONNREFUSED)
		}
		select {
		case <-cut.over:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	number := n.dialed.Add(1)
	in, out := rand.New(rand.NewPCG(n.seed, 2*number)), rand.New(rand.NewPCG(n.seed, 2*number+1))
	if out.Float64() < n.rates.Refuse && !n.calm.Load() {
		n.struck("refused")
		return nil, fmt.Errorf("connection %d: %w", number, syscall.ECONNREFUSED)
	}
	inner, err := n.inner.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, network: n, address: address, in: in, out: out, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[c] = struct{}{}
	return c, nil
}

func (n *Network) forget(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}
