package wire

import (
	"encoding/binary"
	"iter"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Message is one request. Its documents are checked: each is well-formed BSON within the limits of size and depth, and the body
// has no field that is also the name of a sequence. All of it lies in one pooled buffer.
type Message struct {
	RequestID  int32
	ResponseTo int32
	OpCode     OpCode // OpMsg or OpQuery
	Flags      Flags  // none for OpQuery
	// Body is the command. Of an OP_QUERY message it is the document within $query, where there is one.
	Body bsonraw.Doc
	// Sequences are the arrays of documents that were sent beside the body, in the order sent. Their names differ.
	Sequences []Sequence
	// Database is the one that an OP_QUERY message is addressed to. OP_MSG messages name theirs in the body ($db).
	Database []byte

	buf     *buffer
	inPlace [2]Sequence // no command takes more than two
}

// Sequence is an array of documents that stands beside a message's body.
type Sequence struct {
	Name []byte
	Docs Documents
}

// Documents are documents one after the other.
type Documents struct {
	raw   []byte
	count int
}

// Len returns the number of documents.
func (d Documents) Len() int { return d.count }

// Size returns the length of all documents in bytes.
func (d Documents) Size() int { return len(d.raw) }

// Bytes returns the documents as they stand, one behind the other.
func (d Documents) Bytes() []byte { return d.raw }

// All yields the documents with their positions.
func (d Documents) All() iter.Seq2[int, bsonraw.Doc] {
	return func(yield func(int, bsonraw.Doc) bool) {
		rest := d.raw
		for i := range d.count {
			n := binary.LittleEndian.Uint32(rest)
			if !yield(i, bsonraw.Doc(rest[:n:n])) {
				return
			}
			rest = rest[n:]
		}
	}
}

var messages = sync.Pool{New: func() any { return new(Message) }}

// Release gives the message and its buffer back. The message, its documents and every slice of them are gone then.
func (m *Message) Release() {
	if m.buf != nil {
		m.buf.release()
	}
	*m = Message{}
	messages.Put(m)
}

// WantsReply reports whether the sender waits for a reply.
func (m *Message) WantsReply() bool { return m.Flags&MoreToCome == 0 }

// Sequence returns the documents of the sequence of that name, and whether the message has it.
func (m *Message) Sequence(name string) (Documents, bool) {
	for i := range m.Sequences {
		if string(m.Sequences[i].Name) == name {
			return m.Sequences[i].Docs, true
		}
	}
	return Documents{}, false
}

// newMessage returns a message for the bytes of buf, which it owns from then on.
func newMessage(h header, buf *buffer) *Message {
	m, _ := messages.Get().(*Message)
	*m = Message{RequestID: h.requestID, ResponseTo: h.responseTo, OpCode: h.opCode, buf: buf}
	m.Sequences = m.inPlace[:0]
	return m
}
