package store

import (
	"context"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// View is what reads see: the store as it is (Store), as it was at one moment (Snapshot), or as a transaction has it (Txn).
type View interface {
	// Catalog returns the collections that the view has.
	Catalog() *Catalog
	// Get appends the document with that key of _id to dst, with the timestamp of the commit that wrote it.
	Get(dst []byte, c *Collection, idKey []byte) (doc bsonraw.Doc, ts oplog.Timestamp, ok bool, err error)
	// GetOnce is Get for who reads many documents: none need be in memory for the next reader.
	GetOnce(dst []byte, c *Collection, idKey []byte) (doc bsonraw.Doc, ts oplog.Timestamp, ok bool, err error)
	// Docs returns a walk over documents in the order of _id.
	Docs(c *Collection, within Range, reverse bool) (*Docs, error)
	// Entries returns a walk over the entries of an index in its order.
	Entries(x *Index, within Range, reverse bool) (*Entries, error)
	// Count returns the number of documents in a collection.
	Count(ctx context.Context, c *Collection) (int64, error)
	// Pin returns the view as it is at this moment, which later writes do not change. release ends its use.
	Pin() (moment View, release func())
}

// Target is a view that can be written to: the store, where each Write is a commit, or a transaction, which keeps them.
type Target interface {
	View
	// Has reports whether there is a document with that key of _id.
	Has(c *Collection, idKey []byte) (bool, error)
	// HasAny reports whether there is a document with one of these keys of _id or one between them.
	HasAny(c *Collection, idKeys [][]byte) (bool, error)
	// CheckUnique returns an error if another document has a unique entry of d, whose latches the caller holds, or if an index cannot
	// hold d.
	CheckUnique(c *Collection, idKey []byte, d Indexed) error
	// LatchDocs waits until the caller alone may write the documents with these keys of _id.
	LatchDocs(ctx context.Context, c *Collection, idKeys ...[]byte) (Held, error)
	// LatchUnique waits until the caller alone may write the unique index entries of these documents.
	LatchUnique(ctx context.Context, c *Collection, docs ...Indexed) (Held, error)
	// NewWrite begins a write.
	NewWrite() *Write
	// Change begins a change of the schema.
	Change() *Change
}

var _ Target = (*Store)(nil)

// source is where a reader finds keys.
type source interface {
	Get(key []byte) (value []byte, closer io.Closer, err error)
	NewIter(o *pebble.IterOptions) (iterator, error)
}

// iterator walks the keys of a source, as Pebble's own does.
type iterator interface {
	First() bool
	Last() bool
	Next() bool
	Prev() bool
	SeekGE(key []byte) bool
	Valid() bool
	Key() []byte
	ValueAndErr() ([]byte, error)
	Error() error
	Close() error
}

// stored is Pebble as a source: the database or a snapshot of it.
type stored struct{ pebble.Reader }

// NewIter returns an iterator over what is stored.
func (s stored) NewIter(o *pebble.IterOptions) (iterator, error) {
	it, err := s.Reader.NewIter(o)
	if err != nil {
		return nil, err
	}
	return it, nil
}
