package changestream

import (
	"encoding/binary"
	"slices"

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
	switch {
	case t.Version == tokenV2 && !t.HighWaterMark:
		w.keys.AppendEncoded(eventVersion, 4)
	case t.Version == tokenV0:
		w.int32(tokenV0)
	case t.HighWaterMark:
		w.int32(t.Version)
		w.int32(typeHighWaterMark)
	default:
		w.int32(t.Version)
		w.int32(typeEvent)
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
	switch {
	case version < tokenV2 && !c.kind.expanded():
		// Versions before 2 identify events that they knew by the document key, and others as version 2 does.
		if c.key != nil {
			w.keys.Append(c.key.Value())
		}
	case c.key != nil:
		w.keys.AppendEncoded(keyedIdentifiers[c.kind], 1)
		w.keys.Append(c.key.Value())
		w.keys.AppendEncoded(identifierEnd, 0)
	default:
		doc, at := bsonraw.BeginDoc(w.doc[:0])
		doc = bsonraw.AppendString(doc, "operationType", c.kind.operationType())
		if c.description != nil {
			doc = bsonraw.AppendDoc(doc, "operationDescription", c.description)
		}
		w.doc = bsonraw.EndDoc(doc, at)
		w.keys.Append(bsonraw.Doc(w.doc).Value())
	}
}

// What the identifiers of documents' events have in common, encoded once: {operationType: <kind>, documentKey: , which the
// document key and the end follow.
var keyedIdentifiers, identifierEnd = func() (begins [kindDelete + 1][]byte, end []byte) {
	for k := range begins {
		doc, at := bsonraw.BeginDoc(nil)
		doc = bsonraw.AppendString(doc, "operationType", kind(k).operationType())
		doc = bsonraw.AppendDoc(doc, "documentKey", bsonraw.Empty)
		key := bsonraw.AppendKey(nil, bsonraw.Doc(bsonraw.EndDoc(doc, at)).Value())
		// An empty document is its type and its end, and the identifier's end follows.
		begins[k], end = key[:len(key)-3], key[len(key)-1:]
	}
	return begins, end
}()

// eventVersion is what the tokens of events have in common between their time and their index.
var eventVersion = bsonraw.AppendKey(bsonraw.AppendKey(nil, bsonraw.Int32Value(tokenV2)), bsonraw.Int32Value(typeEvent))

// key returns the bytes by which tokens compare, without their end, valid until the writer is used again.
func (w *tokenWriter) key() []byte { return w.keys.Key() }

var keyEnd = []byte{bsonraw.KeyEnd}

// appendDoc appends the token as a document.
func (w *tokenWriter) appendDoc(dst []byte) []byte {
	dst, at := bsonraw.BeginDoc(dst)
	key := w.keys.Key()
	dst = bsonraw.AppendHeader(dst, bsonraw.TypeString, "_data")
	dst = binary.LittleEndian.AppendUint32(dst, uint32(2*len(key)+3))
	dst = appendHex(dst, key)
	dst = append(appendHex(dst, keyEnd), 0)
	if w.types = w.keys.AppendTypeBits(w.types[:0]); len(w.types) > 0 {
		dst = bsonraw.AppendBinary(dst, "_typeBits", 0, w.types)
	}
	return bsonraw.EndDoc(dst, at)
}

const hexDigits = "0123456789ABCDEF"

// hexPairs are the two digits of each byte, the first in the lower half.
var hexPairs = func() (pairs [256]uint16) {
	for i := range pairs {
		pairs[i] = uint16(hexDigits[i>>4]) | uint16(hexDigits[i&0xF])<<8
	}
	return pairs
}()

func appendHex(dst, b []byte) []byte {
	at := len(dst)
	dst = slices.Grow(dst, 2*len(b))[:at+2*len(b)]
	for i, c := range b {
		binary.LittleEndian.PutUint16(dst[at+2*i:], hexPairs[c])
	}
	return dst
}
