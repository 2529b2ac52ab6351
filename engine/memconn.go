package engine

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memConn is one end of a connection within the process. It behaves as a TCP connection does: each direction is buffered up to
// a bound and can be closed by itself, deadlines wake who waits, and any method may be called from any goroutine. A connection
// without bytes under way holds no buffers, and no goroutine belongs to it.
type memConn struct {
	in, out       *memPipe
	local, remote memAddr
}

// memAddr is an address of an end of a connection within the process.
type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }

// newMemConns returns the two ends of a connection.
func newMemConns(clientAddr, serverAddr memAddr) (client, server *memConn) {
	link := new(struct {
		ends  [2]memConn
		pipes [2]memPipe
	})
	for i := range link.pipes {
		link.pipes[i].init()
	}
	client, server = &link.ends[0], &link.ends[1]
	*client = memConn{in: &link.pipes[0], out: &link.pipes[1], local: clientAddr, remote: serverAddr}
	*server = memConn{in: &link.pipes[1], out: &link.pipes[0], local: serverAddr, remote: clientAddr}
	return client, server
}

// Read reads what the other end wrote, io.EOF after the last of it.
func (c *memConn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.wrap("read", err)
}

// Write writes p for the other end; it blocks while the buffer is full. Concurrent writes are not mixed.
func (c *memConn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.wrap("write", err)
}

// Close closes both directions. What was written can still be read by the other end.
func (c *memConn) Close() error {
	_ = c.out.closeWriter(true) // whether it was open still is told by the other direction
	return c.wrap("close", c.in.closeReader())
}

// CloseWrite says that no more will be written; reading goes on.
func (c *memConn) CloseWrite() error { return c.wrap("close", c.out.closeWriter(false)) }

// LocalAddr returns this end's address.
func (c *memConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the other end's address.
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets the deadline of reads and writes, those that wait now included. The zero time means none.
func (c *memConn) SetDeadline(at time.Time) error {
	if err := c.SetReadDeadline(at); err != nil {
		return err
	}
	return c.SetWriteDeadline(at)
}

// SetReadDeadline sets the deadline of reads.
func (c *memConn) SetReadDeadline(at time.Time) error { return c.wrap("set", c.in.setReadDeadline(at)) }

// SetWriteDeadline sets the deadline of writes.
func (c *memConn) SetWriteDeadline(at time.Time) error {
	return c.wrap("set", c.out.setWriteDeadline(at))
}

// wrap gives an error the form that errors of network connections have.
func (c *memConn) wrap(op string, err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // readers compare with io.EOF itself
		return err
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// memPipe is one direction of a connection.
type memPipe struct {
	mu       sync.Mutex
	bytes    ring
	readable sync.Cond // bytes came, or none will
	writable sync.Cond // there is room again, or another write's turn, or nobody reads any more

	readBy, writeBy memDeadline
	writing         bool // a write is under way
	writerShut      bool // no more will be written
	writerClosed    bool
	readerClosed    bool
}

func (p *memPipe) init() {
	p.readable.L, p.writable.L = &p.mu, &p.mu
	p.readBy.wake, p.writeBy.wake = &p.readable, &p.writable
}

func (p *memPipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readerClosed:
			return 0, net.ErrClosed
		case p.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case p.bytes.count > 0:
			n := p.bytes.read(b)
			if p.bytes.room() >= roomWorthWaking {
				p.writable.Broadcast()
			}
			return n, nil
		case p.writerShut:
			return 0, io.EOF
		}
		p.readBy.wait()
	}
}

func (p *memPipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mine, written := false, 0
	for {
		if err := p.writeErrorLocked(); err != nil {
			p.endWriteLocked(mine)
			return written, err
		}
		if !p.writing || mine {
			p.writing, mine = true, true
			left := b[written:]
			if room := p.bytes.room(); len(left) <= room || room >= roomWorthWaking {
				written += p.bytes.write(left)
				p.readable.Broadcast()
			}
			if written == len(b) {
				p.endWriteLocked(mine)
				return written, nil
			}
		}
		p.writeBy.wait()
	}
}

func (p *memPipe) writeErrorLocked() error {
	switch {
	case p.writerClosed:
		return net.ErrClosed
	case p.writerShut, p.readerClosed:
		return syscall.EPIPE
	case p.writeBy.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// endWriteLocked lets the next write have its turn, if the one that ends had it.
func (p *memPipe) endWriteLocked(mine bool) {
	if mine {
		p.writing = false
		p.writable.Broadcast()
	}
}

func (p *memPipe) closeWriter(whole bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writerClosed {
		return net.ErrClosed
	}
	p.writerShut, p.writerClosed = true, whole
	p.writeBy.stop()
	p.readable.Broadcast()
	p.writable.Broadcast()
	return nil
}

func (p *memPipe) closeReader() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readerClosed {
		return net.ErrClosed
	}
	p.readerClosed = true
	p.bytes.clear()
	p.readBy.stop()
	p.readable.Broadcast()
	p.writable.Broadcast()
	return nil
}

func (p *memPipe) setReadDeadline(at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readerClosed {
		return net.ErrClosed
	}
	p.readBy.set(at)
	return nil
}

func (p *memPipe) setWriteDeadline(at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writerClosed {
		return net.ErrClosed
	}
	p.writeBy.set(at)
	return nil
}

// memDeadline is a deadline and its timer. Drivers move deadlines with each operation, so the timer is touched only when
// somebody has to wait, and then only when it would ring too late: ringing early costs one more look at the clock.
type memDeadline struct {
	at    time.Time
	wake  *sync.Cond
	timer *time.Timer
	rings time.Time // when the timer rings; zero when it does not
}

func (d *memDeadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *memDeadline) set(at time.Time) {
	d.at = at
	d.wake.Broadcast()
}

// wait waits to be woken, at the deadline at the latest.
func (d *memDeadline) wait() {
	if !d.at.IsZero() && (d.rings.IsZero() || d.rings.After(d.at)) {
		d.rings = d.at
		if d.timer == nil {
			d.timer = time.AfterFunc(time.Until(d.at), d.ring)
		} else {
			d.timer.Reset(time.Until(d.at))
		}
	}
	d.wake.Wait()
}

func (d *memDeadline) ring() {
	d.wake.L.Lock()
	defer d.wake.L.Unlock()
	d.rings = time.Time{}
	d.wake.Broadcast()
}

func (d *memDeadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
