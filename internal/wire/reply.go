package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

const (
	msgPrefix    = headerLength + 4 + 1         // flags, kind of the one section
	replyPrefix  = headerLength + 4 + 8 + 4 + 4 // flags, cursor, starting position, count
	bodyAt       = max(msgPrefix, replyPrefix)  // where bodies begin, so that either form fits before them
	largestBatch = 17 << 20                     // what the largest batches of documents need; the largest replies are larger

	// OP_REPLY flags. Every server that today's drivers speak to sets the first.
	awaitCapable = 1 << 3
	queryFailure = 1 << 1
)

// Reply is one reply under construction. Its header and its body stand in one buffer, so that writing it is one write. A Reply
// belongs to who began it, until Release.
type Reply struct {
	buf        *buffer
	opCode     OpCode // OpMsg or OpReply
	flags      uint32
	responseTo int32
	begin      int // of the message in buf.b
	complete   bool
}

var replies = sync.Pool{New: func() any { return new(Reply) }}

// BeginReply starts a reply to a request with that operation code and id.
func BeginReply(request OpCode, responseTo int32) *Reply {
	r, _ := replies.Get().(*Reply)
	*r = Reply{buf: getBuffer(smallestBuffer), opCode: OpMsg, begin: bodyAt - msgPrefix, responseTo: responseTo}
	if request == OpQuery {
		r.opCode, r.begin, r.flags = OpReply, bodyAt-replyPrefix, awaitCapable
	}
	r.buf.b = r.buf.b[:bodyAt]
	return r
}

// Body returns the buffer to append the reply's one document to. The result of appending goes to SetBody. The bytes that are
// there already are the header's place.
func (r *Reply) Body() []byte { return r.buf.b[:bodyAt] }

// Grow returns b, which came from Body, with room for n more bytes: from a pool, where appending alone would allocate.
func (r *Reply) Grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	larger := getBuffer(max(len(b)+n, min(bufferGrowth*cap(b), largestBatch), cap(b)+cap(b)/bufferGrowth))
	larger.b = append(larger.b, b...)
	r.buf.b = b
	r.buf.release()
	r.buf = larger
	return larger.b
}

// SetBody takes what Body returned with one document appended.
func (r *Reply) SetBody(b []byte) {
	r.buf.b = b
	r.complete = true
}

// SetMoreToCome says that another reply to the same request follows. Only a request with ExhaustAllowed may be answered so.
func (r *Reply) SetMoreToCome() {
	if r.opCode == OpMsg {
		r.flags |= uint32(MoreToCome)
	}
}

// SetQueryFailure marks the reply to an OP_QUERY message that was no command, in the way that its senders look for.
func (r *Reply) SetQueryFailure() {
	if r.opCode == OpReply {
		r.flags |= queryFailure
	}
}

// Finish completes the header: the reply gets an id of its own and is ready to be written. It fails when there is no body or
// the whole is longer than a message may be; nothing has been written then.
func (r *Reply) Finish(id int32) error {
	if !r.complete {
		return fmt.Errorf("finish reply to request %d: it has no body", r.responseTo)
	}
	n := len(r.buf.b) - r.begin
	if n > MaxMessageLength {
		return fmt.Errorf("finish reply to request %d: it has %d bytes, %d at most may be sent", r.responseTo, n, MaxMessageLength)
	}
	h := r.buf.b[r.begin:bodyAt]
	binary.LittleEndian.PutUint32(h, uint32(n))
	binary.LittleEndian.PutUint32(h[4:], uint32(id))
	binary.LittleEndian.PutUint32(h[8:], uint32(r.responseTo))
	binary.LittleEndian.PutUint32(h[12:], uint32(r.opCode))
	binary.LittleEndian.PutUint32(h[16:], r.flags)
	if r.opCode == OpMsg {
		h[20] = 0
		return nil
	}
	clear(h[20:32])
	binary.LittleEndian.PutUint32(h[32:], 1)
	return nil
}

// WriteTo writes the finished reply in one write.
func (r *Reply) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(r.buf.b[r.begin:])
	return int64(n), err
}

// Release gives the reply and its buffer back, written or not. It must not be used any more.
func (r *Reply) Release() {
	r.buf.release()
	r.buf = nil
	replies.Put(r)
}
