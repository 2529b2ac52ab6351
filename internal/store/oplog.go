package store

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// The oplog can be read as the collection local.oplog.rs, as in MongoDB: its documents are the entries, keyed by their timestamps
// in place of an _id. It is in no catalog record, and nobody can write to it or change it.

// LocalDB is the database that is not replicated.
const LocalDB = "local"

const oplogName = "oplog.rs"

// oplogUUID stands in for the UUID that MongoDB gives to its oplog.
var oplogUUID = [16]byte{'s', 'l', 'u', 'i', 'c', 'e', 0x40, 'o', 0x80, 'p', 'l', 'o', 'g', '.', 'r', 's'}

// IsOplog reports whether a namespace is that of the oplog.
func IsOplog(db, name string) bool { return db == LocalDB && name == oplogName }

// newOplogCollection makes the collection as which the oplog is read.
func newOplogCollection(maxBytes int64) *Collection {
	options, at := bsonraw.BeginDoc(nil)
	options = bsonraw.AppendBool(options, "capped", true)
	options = bsonraw.AppendInt64(options, "size", maxBytes)
	options = bsonraw.AppendBool(options, "autoIndexId", false)
	c := &Collection{DB: LocalDB, Name: oplogName, UUID: oplogUUID, Oplog: true, Shared: &Shared{}}
	c.SetOptions(bsonraw.EndDoc(options, at))
	return c
}

// AppendOplogKey appends the key of the entry with a timestamp, for ranges of Docs.
func AppendOplogKey(dst []byte, ts uint64) []byte { return binary.BigEndian.AppendUint64(dst, ts) }

// oplogDocs is Docs for the oplog. What is not durable yet is not shown.
func (r reader) oplogDocs(within Range, reverse bool) (*Docs, error) {
	o := bounds([]byte{kindOplog}, within)
	if within.From == nil {
		o.LowerBound = []byte{kindOplog, 0} // behind the floor
	}
	if r.newest != nil {
		end := timestampKey(kindOplog, oplog.Timestamp(r.newest.Load())+1)
		if string(end) < string(o.UpperBound) {
			o.UpperBound = end
		}
		if string(o.LowerBound) > string(o.UpperBound) {
			o.LowerBound = o.UpperBound
		}
	}
	it, err := r.db.NewIter(o)
	if err != nil {
		return nil, err
	}
	return &Docs{it: it, reverse: reverse, keyAt: 1, entries: true}, r.failed.get()
}

// oplogStats counts the oplog's entries.
func (r reader) oplogStats(ctx context.Context) (s Stats, err error) {
	docs, err := r.oplogDocs(Range{}, false)
	if err != nil {
		return Stats{}, err
	}
	for docs.Next() {
		s.Bytes += int64(len(docs.Doc()))
		if s.Docs++; s.Docs%checkCountEvery == 0 && ctx.Err() != nil {
			return Stats{}, errors.Join(contextError(ctx), docs.Close())
		}
	}
	return s, docs.Close()
}
