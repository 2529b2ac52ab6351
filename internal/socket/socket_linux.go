package socket

import (
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// shortTransfer is the most that is read or written at once without the Go scheduler being told: that takes microseconds. It is
// told of what is longer, so that others run meanwhile.
const shortTransfer = 16 << 10

// socket is a connection whose short reads and writes are no system calls to the Go scheduler. They never block, and last less than what
// the scheduler does around a system call that it has to expect to block: it gives the processor to another thread, which
// is woken for that. Waiting is left to the runtime's poller.
type socket struct {
	net.Conn
	raw     syscall.RawConn
	in, out transfer

	spin     spin
	answered atomic.Bool // something was written since the last read
}

// transfer is one read or write. It belongs to who reads or writes; callbacks are made once, because each would be an allocation.
type transfer struct {
	rest  []byte
	moved int // bytes of the last call; 0: the end
	errno syscall.Errno
	try   func(fd uintptr) (done bool)
}

// New returns a connection that does what conn does, or conn itself where it is no socket of the system. One goroutine at a time may
// read, and one write.
func New(conn net.Conn, lone *Lone) net.Conn {
	system, is := conn.(syscall.Conn)
	if !is {
		return conn
	}
	raw, err := system.SyscallConn()
	if err != nil {
		return conn
	}
	s := &socket{Conn: conn, raw: raw, spin: spin{lone: lone}}
	s.in.try, s.out.try = s.tryRead, s.tryWrite
	return s
}

// move reads or writes once; false: the socket is not ready.
func (t *transfer) move(call, fd uintptr) (done bool) {
	for {
		t.moved, t.errno = systemCall(call, fd, t.rest)
		switch t.errno {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			return true
		}
	}
}

func (s *socket) tryWrite(fd uintptr) bool { return s.out.move(syscall.SYS_WRITE, fd) }

func (s *socket) tryRead(fd uintptr) bool {
	if s.in.move(syscall.SYS_READ, fd) {
		return true
	}
	if !s.spin.worth() {
		return false
	}
	came := false
	for until := time.Now().Add(longestSpin); !came && time.Now().Before(until); {
		came = s.in.move(syscall.SYS_READ, fd)
	}
	s.spin.ended(came)
	return came
}

// Read reads what is there, or waits for it.
func (s *socket) Read(p []byte) (n int, err error) {
	if len(p) == 0 || len(p) > shortTransfer {
		n, err = s.Conn.Read(p)
	} else {
		n, err = s.readShort(p)
	}
	if n > 0 && s.answered.Swap(false) { // the rest of a message is not another one
		s.spin.came()
	}
	return n, err
}

func (s *socket) readShort(p []byte) (int, error) {
	s.in.rest = p
	err := s.raw.Read(s.in.try)
	s.in.rest = nil
	switch {
	case err != nil:
		return 0, err
	case s.in.errno != 0:
		return 0, os.NewSyscallError("read", s.in.errno)
	case s.in.moved == 0:
		return 0, io.EOF
	}
	return s.in.moved, nil
}

// Write writes all of p.
func (s *socket) Write(p []byte) (int, error) {
	s.answered.Store(true)
	if len(p) > shortTransfer {
		return s.Conn.Write(p)
	}
	written := 0
	for written < len(p) {
		s.out.rest = p[written:]
		err := s.raw.Write(s.out.try)
		s.out.rest = nil
		if err != nil {
			return written, err
		}
		if s.out.errno != 0 {
			return written, os.NewSyscallError("write", s.out.errno)
		}
		if s.out.moved == 0 {
			return written, io.ErrUnexpectedEOF // as package net does; systems do not
		}
		written += s.out.moved
	}
	return written, nil
}
