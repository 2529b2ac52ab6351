package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sort"
	"sync"
)

const (
	msgPrefix    = headerLength + 4 + 1         // flags, kind of the one section
	replyPrefix  = headerLength + 4 + 8 + 4 + 4 // flags, cursor, starting position, count
	bodyAt       = max(msgPrefix, replyPrefix)  // where bodies begin, so that either form fits before them
	spliceFrom   = 1 << 10                      // copying less is cheaper than one more piece to write
	largestBatch = 17 << 20                     // what the largest batches of documents need; the largest replies are larger
	sparePieces  = 1024                         // what a pooled Reply keeps room for

	// OP_REPLY flags. Every server that today's drivers speak to sets the first.
	awaitCapable = 1 << 3
	queryFailure = 1 << 1
)

// Reply is one reply under construction. Its header and its body stand in one buffer, so that writing it is one write; documents
// that many replies share can be spliced in and are then written from where they are. A Reply belongs to who began it, until
// Release.
type Reply struct {
	buf        *buffer
	opCode     OpCode // OpMsg or OpReply
	flags      uint32
	responseTo int32
	begin      int // of the message in buf.b
	complete   bool
	splices    []splice
	pieces     net.Buffers
	unwritten  net.Buffers // what is left of pieces during a write, which consumes them
}

// splice is bytes from elsewhere that come before position at of the buffer.
type splice struct {
	at     int
	data   []byte
	before int // length of all earlier splices
}

var replies = sync.Pool{New: func() any { return new(Reply) }}

// BeginReply starts a reply to a request with that operation code and id.
func BeginReply(request OpCode, responseTo int32) *Reply {
	r, _ := replies.Get().(*Reply)
	*r = Reply{
		buf: getBuffer(smallestBuffer), opCode: OpMsg, begin: bodyAt - msgPrefix, responseTo: responseTo,
		splices: r.splices[:0], pieces: r.pieces[:0],
	}
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

// AppendShared appends bytes that must not change until the reply is written. Many of them are not copied: a document that
// contains them must be ended with EndDoc of the Reply.
func (r *Reply) AppendShared(b, shared []byte) []byte {
	if len(shared) < spliceFrom {
		return append(b, shared...)
	}
	r.splices = append(r.splices, splice{at: len(b), data: shared, before: r.sharedBytes()})
	return b
}

// EndDoc ends the document that began at position at, counting what was appended by AppendShared since.
func (r *Reply) EndDoc(b []byte, at int) []byte {
	b = append(b, 0)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at+r.sharedSince(at)))
	return b
}

// Size returns the length in bytes that the reply has when its buffer is b, shared bytes included.
func (r *Reply) Size(b []byte) int { return len(b) - r.begin + r.sharedBytes() }

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
	n := r.Size(r.buf.b)
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

// WriteTo writes the finished reply: in one write, or, with shared bytes in it, in one vectored write where w has such.
func (r *Reply) WriteTo(w io.Writer) (int64, error) {
	if len(r.splices) == 0 {
		n, err := w.Write(r.buf.b[r.begin:])
		return int64(n), err
	}
	r.unwritten = r.Pieces()
	return r.unwritten.WriteTo(w)
}

// Pieces returns the finished reply as the pieces that it is made of, valid until the next call of any method.
func (r *Reply) Pieces() net.Buffers {
	r.pieces = slices.Grow(r.pieces[:0], 2*len(r.splices)+1)
	at := r.begin
	for _, s := range r.splices {
		if s.at > at {
			r.pieces = append(r.pieces, r.buf.b[at:s.at])
		}
		r.pieces = append(r.pieces, s.data)
		at = s.at
	}
	r.pieces = append(r.pieces, r.buf.b[at:])
	return r.pieces
}

// Release gives the reply and its buffer back, written or not. Releasing twice in a row does nothing.
func (r *Reply) Release() {
	if r.buf == nil {
		return
	}
	r.buf.release()
	r.buf, r.unwritten = nil, nil
	clear(r.splices)
	clear(r.pieces)
	if cap(r.splices) > sparePieces {
		r.splices, r.pieces = nil, nil
	}
	replies.Put(r)
}

func (r *Reply) sharedBytes() int {
	if len(r.splices) == 0 {
		return 0
	}
	last := &r.splices[len(r.splices)-1]
	return last.before + len(last.data)
}

// sharedSince counts the shared bytes that stand after position at.
func (r *Reply) sharedSince(at int) int {
	i := sort.Search(len(r.splices), func(i int) bool { return r.splices[i].at > at })
	if i == len(r.splices) {
		return 0
	}
	return r.sharedBytes() - r.splices[i].before
}
