package changestream

import (
	"encoding/binary"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// tokenWriter encodes tokens. It is used again and again and then does not allocate.
type tokenWriter struct {
	keys    bsonraw.KeyBuilder
	scratch [24]byte
	doc     []byte // the identifier
	types   []byte
}

// begin encodes the token; key, appendDoc and appendData then give it out.
func (w *tokenWriter) begin(t *Token) {
	w.header(t)
	if t.Identifier != nil {
		w.keys.Append(t.Identifier.Value())
	}
	if t.Fragment != WholeEvent {
		w.int32(t.Fragment)
	}
}

// header encodes what precedes the identifier.
func (w *tokenWriter) header(t *Token) {
	w.keys.Reset()
	binary.LittleEndian.PutUint64(w.scratch[:], uint64(t.ClusterTime))
	w.keys.Append(bsonraw.Value{Type: bsonraw.TypeTimestamp, Data: w.scratch[:8]})
	w.int32(t.Version)
	if t.Version >= tokenV1 {
		if t.HighWaterMark {
			w.int32(typeHighWaterMark)
		} else {
			w.int32(typeEvent)
		}
	}
	w.int32(t.TxnOpIndex)
	if t.Version >= tokenV1 {
		w.keys.Append(bsonraw.BoolValue(t.FromInvalidate))
	}
	switch {
	case t.HasUUID:
		binary.LittleEndian.PutUint32(w.scratch[:], uint32(len(t.UUID)))
		w.scratch[4] = bsonraw.SubtypeUUID
		copy(w.scratch[5:], t.UUID[:])
		w.keys.Append(bsonraw.Value{Type: bsonraw.TypeBinary, Data: w.scratch[:5+len(t.UUID)]})
	case t.Version >= tokenV2:
		w.keys.Append(bsonraw.NullValue)
	}
}

func (w *tokenWriter) int32(n int32) {
	binary.LittleEndian.PutUint32(w.scratch[:], uint32(n))
	w.keys.Append(bsonraw.Value{Type: bsonraw.TypeInt32, Data: w.scratch[:4]})
}

// event encodes an event's token. That of an invalidation names the event that caused it.
func (w *tokenWriter) event(c *change, version int32) {
	t := Token{
		ClusterTime: c.ts, Version: version, TxnOpIndex: c.index, FromInvalidate: c.invalidate,
		UUID: c.uuid, HasUUID: c.hasUUID, Fragment: WholeEvent,
	}
	w.header(&t)
	// Versions before 2 identify events that they knew by the document key, and others as version 2 does.
	if version < tokenV2 && !c.kind.expanded() {
		if c.key != nil {
			w.keys.Append(c.key.Value())
		}
		return
	}
	doc, at := bsonraw.BeginDoc(w.doc[:0])
	doc = bsonraw.AppendString(doc, "operationType", c.kind.operationType())
	if c.key != nil {
		doc = bsonraw.AppendDoc(doc, "documentKey", c.key)
	}
	if c.description != nil {
		doc = bsonraw.AppendDoc(doc, "operationDescription", c.description)
	}
	w.doc = bsonraw.EndDoc(doc, at)
	w.keys.Append(bsonraw.Doc(w.doc).Value())
}

// key returns the bytes by which tokens compare, without their end, valid until the writer is used again.
func (w *tokenWriter) key() []byte { return w.keys.Key() }

// appendDoc appends the token as a document.
func (w *tokenWriter) appendDoc(dst []byte) []byte {
	dst, at := bsonraw.BeginDoc(dst)
	key := w.keys.Key()
	dst = bsonraw.AppendHeader(dst, bsonraw.TypeString, "_data")
	dst = binary.LittleEndian.AppendUint32(dst, uint32(2*len(key)+3))
	dst = appendHex(dst, key)
	dst = append(dst, hexDigits[bsonraw.KeyEnd>>4], hexDigits[bsonraw.KeyEnd&0xF], 0)
	if w.types = w.keys.AppendTypeBits(w.types[:0]); len(w.types) > 0 {
		dst = bsonraw.AppendBinary(dst, "_typeBits", 0, w.types)
	}
	return bsonraw.EndDoc(dst, at)
}

const hexDigits = "0123456789ABCDEF"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&0xF])
	}
	return dst
}
