package command

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// maxBatch is how many statements one write command may have (hello's maxWriteBatchSize).
const maxBatch = 100_000

// sequence returns the documents of an argument that comes as an array in the body or as a sequence of the message. They are the writer's.
func (w *writer) sequence(name string, inBody bsonraw.Doc) ([]bsonraw.Doc, error) {
	op, docs := w.op, w.scratch.statements
	found := inBody != nil
	for it := inBody.Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			w.scratch.statements = docs // which is let go of
			return nil, op.wrongType(name+"."+string(it.Key()), it.Value(), "object")
		}
		docs = append(docs, it.Value().Doc())
	}
	for _, seq := range op.req.Sequences {
		if string(seq.Name) != name {
			continue
		}
		found = true
		for rest := seq.Docs; len(rest) >= 4; {
			n := binary.LittleEndian.Uint32(rest)
			docs = append(docs, bsonraw.Doc(rest[:n:n]))
			rest = rest[n:]
		}
	}
	w.scratch.statements = docs
	if !found {
		return nil, mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.%s' is missing but a required field", op.cmd.name, name)
	}
	if len(docs) == 0 || len(docs) > maxBatch {
		return nil, mongoerr.New(mongoerr.InvalidLength, "Write batch sizes must be between 1 and %d. Got %d operations.", maxBatch, len(docs))
	}
	return docs, nil
}

// storable brings a document into the form in which it is stored: with an _id, as the first field. The result is d itself where
// nothing has to change.
func storable(d bsonraw.Doc) (bsonraw.Doc, error) { return storableAs(d, true) }

// storableAs is storable for documents that are inserted or, otherwise, what an update gave: then empty timestamps stay as they are, and
// an _id behind the first one is no error.
func storableAs(d bsonraw.Doc, inserted bool) (bsonraw.Doc, error) {
	if err := checkSize(d); err != nil {
		return nil, err
	}
	var id bsonraw.Value
	first, stamps := true, false
	for i, it := 0, d.Iter(); it.Next(); i++ {
		v := it.Value()
		if string(it.Key()) == "_id" {
			switch {
			case id.IsMissing():
				id, first = v, i == 0
			case inserted:
				return nil, severalIDs(id, v)
			default:
				if err := checkID(v); err != nil {
					return nil, err
				}
			}
		} else if inserted && v.Type == bsonraw.TypeTimestamp && v.Int64() == 0 {
			stamps = true
		}
	}
	if err := checkID(id); err != nil {
		return nil, err
	}
	if first && !id.IsMissing() && !stamps {
		return d, nil
	}
	out, at := bsonraw.BeginDoc(make([]byte, 0, len(d)+24))
	if id.IsMissing() {
		out = bsonraw.AppendObjectID(out, "_id", newObjectID())
	} else {
		out = bsonraw.AppendValue(out, "_id", id)
	}
	for it := d.Iter(); it.Next(); {
		v := it.Value()
		switch {
		case string(it.Key()) == "_id":
		case inserted && v.Type == bsonraw.TypeTimestamp && v.Int64() == 0:
			// An empty timestamp at the top level means now (manual, "Timestamps").
			out = bsonraw.AppendTimestamp(out, it.Key(), uint64(time.Now().Unix())<<32|uint64(nextIncrement()))
		default:
			out = append(out, it.Elem()...)
		}
	}
	out = bsonraw.EndDoc(out, at)
	return out, checkSize(out)
}

// severalIDs is the error of a document with more than one _id, of which these are the first.
func severalIDs(ids ...bsonraw.Value) error {
	for _, id := range ids {
		if err := checkID(id); err != nil {
			return err
		}
	}
	return mongoerr.New(mongoerr.BadValue, "can't have multiple _id fields in one document")
}

// nestingBytes is the least that a level of nesting takes: a type, an empty name, a length and an end.
const nestingBytes = 1 + 1 + 4 + 1

func checkSize(d bsonraw.Doc) error {
	if len(d) > bsonraw.MaxDocumentSize {
		return mongoerr.New(mongoerr.BadValue, "object to insert too large. size in bytes: %d, max size: %d", len(d), bsonraw.MaxDocumentSize)
	}
	if len(d) < bsonraw.MaxStoredDepth*nestingBytes {
		return nil
	}
	if err := bsonraw.Validate(d, bsonraw.MaxStoredDepth); errors.Is(err, bsonraw.ErrTooDeep) {
		return mongoerr.New(mongoerr.Overflow, "cannot insert document because it exceeds %d levels of nesting", bsonraw.MaxStoredDepth)
	}
	return nil
}

// checkID refuses the types that an _id may not have, and field names that would make it ambiguous.
func checkID(id bsonraw.Value) error {
	switch id.Type {
	case bsonraw.TypeArray, bsonraw.TypeRegex, bsonraw.TypeUndefined:
		return mongoerr.New(mongoerr.InvalidIDField, "The '_id' value cannot be of type %s", id.Type.Name())
	case bsonraw.TypeDocument:
		return checkIDNames(id.Doc())
	}
	return nil
}

// checkIDNames refuses names that begin with $, at every depth.
func checkIDNames(d bsonraw.Doc) error {
	for it := d.Iter(); it.Next(); {
		if k := it.Key(); len(k) > 0 && k[0] == '$' {
			return mongoerr.New(mongoerr.DollarPrefixedFieldName, "_id fields may not contain '$'-prefixed fields: %s is not valid for storage.", k)
		}
		if v := it.Value(); v.Type == bsonraw.TypeDocument || v.Type == bsonraw.TypeArray {
			if err := checkIDNames(v.Doc()); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	objectIDRandom  = func() (b [5]byte) { _, _ = rand.Read(b[:]); return b }()
	objectIDCounter = func() *atomic.Uint32 {
		var b [4]byte
		_, _ = rand.Read(b[:])
		n := new(atomic.Uint32)
		n.Store(binary.LittleEndian.Uint32(b[:]))
		return n
	}()
)

// newObjectID makes an ObjectId: seconds, a random number of this process, a counter.
func newObjectID() (id [12]byte) {
	binary.BigEndian.PutUint32(id[:], uint32(time.Now().Unix()))
	copy(id[4:], objectIDRandom[:])
	n := objectIDCounter.Add(1)
	id[9], id[10], id[11] = byte(n>>16), byte(n>>8), byte(n)
	return id
}

func nextIncrement() uint32 { return objectIDCounter.Add(1) & 0xffffff }
