package badnet

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const lengthBytes = 4 // a message begins with its length

// conn is a connection that may come to harm. It follows what it reads message by message, so that it can end within one.
type conn struct {
	net.Conn
	network *Network
	address string

	reading sync.Mutex
	in      *rand.Rand
	length  []byte // of the next message, as far as it is here
	pending []byte // of these, those that the caller has not got yet
	left    int    // bytes of the message that are still to be read
	allowed int    // of these, before the connection ends; negative: all

	writing sync.Mutex
	out     *rand.Rand

	closing  sync.Once
	closed   chan struct{}
	deadline struct {
		sync.Mutex
		at time.Time
	}
}

func (c *conn) Close() error {
	c.closing.Do(func() {
		c.network.forget(c)
		close(c.closed)
	})
	return c.Conn.Close()
}

func (c *conn) SetDeadline(t time.Time) error {
	c.setReadDeadline(t)
	return c.Conn.SetDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.setReadDeadline(t)
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) setReadDeadline(t time.Time) {
	c.deadline.Lock()
	defer c.deadline.Unlock()
	c.deadline.at = t
}

// pause waits until done is closed or, where that is nil, for d. It ends early, with an error, when the connection is closed or
// the time for reading is up.
func (c *conn) pause(done <-chan struct{}, d time.Duration) error {
	c.deadline.Lock()
	at := c.deadline.at
	c.deadline.Unlock()
	var expired, elapsed <-chan time.Time
	if !at.IsZero() {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		expired = timer.C
	}
	if done == nil {
		timer := time.NewTimer(d)
		defer timer.Stop()
		elapsed = timer.C
	}
	select {
	case <-done:
		return nil
	case <-elapsed:
		return nil
	case <-c.closed:
		return net.ErrClosed
	case <-expired:
		return os.ErrDeadlineExceeded
	}
}

// arrived holds back what was read from an address that is cut off.
func (c *conn) arrived() error {
	for cut := c.network.isolation(c.address); cut != nil && cut.silent; cut = c.network.isolation(c.address) {
		if err := c.pause(cut.over, 0); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(c.pending) == 0 && c.left == 0 {
		if err := c.begin(); err != nil {
			return 0, err
		}
	}
	if err := c.arrived(); err != nil {
		return 0, err
	}
	if c.allowed == 0 {
		return 0, c.end("truncated")
	}
	if c.allowed > 0 {
		p = p[:min(len(p), c.allowed)]
	}
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		c.allowed -= min(n, max(c.allowed, 0))
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	c.allowed -= min(n, max(c.allowed, 0))
	return n, err
}

// begin reads a message's length and draws what happens to the message. Where it is interrupted it can be called again.
func (c *conn) begin() error {
	for len(c.length) < lengthBytes {
		var some [lengthBytes]byte
		n, err := c.Conn.Read(some[:lengthBytes-len(c.length)])
		c.length = append(c.length, some[:n]...)
		if err != nil && len(c.length) < lengthBytes {
			return err
		}
	}
	size := int(binary.LittleEndian.Uint32(c.length))
	rates, dice := c.network.rates, c.in.Float64()
	cut, within := c.in.IntN(max(size, 2)-1)+1, -1
	switch late := dice - rates.Cut - rates.Truncate; {
	case c.network.calm.Load():
	case dice < rates.Cut:
		return c.end("cut")
	case late < 0:
		within = cut
	case late < rates.Delay:
		c.network.struck("delayed")
		if err := c.pause(nil, time.Duration(c.in.Int64N(int64(rates.MaxDelay)))); err != nil {
			return err // another delay, should it be read again
		}
	}
	c.pending, c.length = c.length, nil
	c.left, c.allowed = size-lengthBytes, within
	return nil
}

// end is what becomes of a connection.
func (c *conn) end(how string) error {
	c.network.struck(how)
	_ = c.Conn.Close()
	return fmt.Errorf("%s: %w", how, syscall.ECONNRESET)
}

func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.out.Float64() >= c.network.rates.Lose || c.network.calm.Load() || len(p) == 0 {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(p[:c.out.IntN(len(p))])
	if err != nil {
		return n, err
	}
	return n, c.end("lost")
}
