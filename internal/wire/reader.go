package wire

import (
	"bufio"
	"errors"
	"io"
)

// Reader cuts messages out of a stream of bytes. It is not safe for concurrent use.
type Reader struct {
	src *bufio.Reader
}

// NewReader returns a Reader that reads ahead size bytes at most, which is what it holds between messages. Larger messages are
// read into their own buffers directly.
func NewReader(src io.Reader, size int) *Reader {
	return &Reader{src: bufio.NewReaderSize(src, max(size, headerLength))}
}

// Wait blocks until a message has begun: its header is there. It returns io.EOF when the stream ends between two messages.
func (r *Reader) Wait() error {
	b, err := r.src.Peek(headerLength)
	if err == io.EOF && len(b) > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WaitByte blocks until anything at all is there to be read, and leaves it there.
func (r *Reader) WaitByte() error {
	_, err := r.src.Peek(1)
	return err
}

// Whole reports, after Wait, that Next will not have to wait.
func (r *Reader) Whole() bool {
	b, _ := r.src.Peek(min(headerLength, r.src.Buffered()))
	if len(b) < headerLength {
		return false
	}
	h, err := parseHeader(b)
	return err != nil || h.length <= r.src.Buffered()
}

// Next reads one message, which the caller owns and releases. What is wrong with a message is told by an *[Error]; any other
// error is the stream's own, io.ErrUnexpectedEOF where it ends within a message.
func (r *Reader) Next() (*Message, error) {
	if err := r.Wait(); err != nil {
		return nil, err
	}
	b, _ := r.src.Peek(headerLength) // cannot fail after Wait
	h, problem := parseHeader(b)
	if problem != nil {
		return nil, problem
	}
	buf, err := r.read(h.length)
	if err != nil {
		return nil, err
	}
	m := newMessage(h, buf)
	switch h.opCode {
	case OpMsg:
		problem = m.parseMsg(buf.b)
	case OpQuery:
		problem = m.parseQuery(buf.b)
	case OpCompressed:
		problem = m.parseCompressed(buf.b)
	}
	if problem != nil {
		problem.RequestID, problem.OpCode = m.RequestID, m.OpCode
		problem.Answer = problem.Answer && m.WantsReply()
		m.Release()
		return nil, problem
	}
	return m, nil
}

// read reads a message of n bytes. Its buffer grows as they arrive, so that announcing much costs nothing here.
func (r *Reader) read(n int) (*buffer, error) {
	buf := getBuffer(min(n, unprovenBytes))
	for {
		have := len(buf.b)
		buf.b = buf.b[:min(n, cap(buf.b))]
		if _, err := io.ReadFull(r.src, buf.b[have:]); err != nil {
			buf.release()
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if len(buf.b) == n {
			return buf, nil
		}
		buf = buf.grow(min(n, bufferGrowth*cap(buf.b)))
	}
}
