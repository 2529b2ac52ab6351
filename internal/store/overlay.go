package store

import (
	"bytes"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/tidwall/btree"
)

// overlay is a source of keys that lies over another one: what a transaction has written over the snapshot that it reads.
type overlay struct {
	base   source
	tree   *btree.BTreeG[overlaid]
	absent []byte // a key that the base is known not to have
}

// overlaid is a key that was written: its value, or that it was deleted.
type overlaid struct {
	key, value []byte
	deleted    bool
	fresh      bool // the base does not have it
}

func newOverlay(base source) *overlay {
	less := func(a, b overlaid) bool { return bytes.Compare(a.key, b.key) < 0 }
	return &overlay{base: base, tree: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}
}

// at returns the overlay as it is now; later changes of o do not reach it.
func (o *overlay) at() *overlay { return &overlay{base: o.base, tree: o.tree.Copy()} }

// Get returns the value of a key, valid until closer is closed.
func (o *overlay) Get(key []byte) (value []byte, closer io.Closer, err error) {
	if item, ok := o.tree.Get(overlaid{key: key}); ok {
		if item.deleted {
			return nil, nil, pebble.ErrNotFound
		}
		return item.value, io.NopCloser(nil), nil
	}
	if bytes.Equal(key, o.absent) {
		return nil, nil, pebble.ErrNotFound
	}
	return o.base.Get(key)
}

// NewIter returns an iterator over what both have at this moment.
func (o *overlay) NewIter(opts *pebble.IterOptions) (iterator, error) {
	under, err := o.base.NewIter(opts)
	if err != nil {
		return nil, err
	}
	over := o.tree.Copy().Iter()
	return &overlayIter{under: under, over: over, lower: opts.LowerBound, upper: opts.UpperBound}, nil
}

// overlayIter merges the keys of an overlay and of its base. Of equal keys that of the overlay counts.
type overlayIter struct {
	under        iterator
	over         btree.IterG[overlaid]
	lower, upper []byte
	reverse      bool
	underOK      bool // under stands at a key that is the current one or comes after it
	overOK       bool // the same of over, whose key may lie beyond the bounds
	atUnder      bool // the current key is under's
	atOver       bool // or over's, or both have it
}

// First moves to the first key.
func (m *overlayIter) First() bool {
	m.reverse = false
	m.underOK = m.under.First()
	if m.lower != nil {
		m.overOK = m.over.Seek(overlaid{key: m.lower})
	} else {
		m.overOK = m.over.First()
	}
	return m.settle()
}

// Last moves to the last key.
func (m *overlayIter) Last() bool {
	m.reverse = true
	m.underOK = m.under.Last()
	if m.upper != nil && m.over.Seek(overlaid{key: m.upper}) {
		m.overOK = m.over.Prev()
	} else {
		m.overOK = m.over.Last()
	}
	return m.settle()
}

// SeekGE moves to the first key that is not before the one given.
func (m *overlayIter) SeekGE(key []byte) bool {
	m.reverse = false
	if m.lower != nil && bytes.Compare(key, m.lower) < 0 {
		key = m.lower
	}
	m.underOK = m.under.SeekGE(key)
	m.overOK = m.over.Seek(overlaid{key: key})
	return m.settle()
}

// Next moves on. The walk began with First or SeekGE.
func (m *overlayIter) Next() bool { return m.move(false) }

// Prev moves on, backwards. The walk began with Last.
func (m *overlayIter) Prev() bool { return m.move(true) }

func (m *overlayIter) move(reverse bool) bool {
	if reverse != m.reverse {
		panic("store: a walk over a transaction changed its direction")
	}
	if !m.Valid() {
		return false
	}
	m.advance()
	return m.settle()
}

// advance moves those on that stand at the current key.
func (m *overlayIter) advance() {
	if m.atUnder {
		if m.reverse {
			m.underOK = m.under.Prev()
		} else {
			m.underOK = m.under.Next()
		}
	}
	if m.atOver {
		if m.reverse {
			m.overOK = m.over.Prev()
		} else {
			m.overOK = m.over.Next()
		}
	}
}

// settle finds out where the next key is, passing over those that were deleted.
func (m *overlayIter) settle() bool {
	for {
		over := m.overOK && m.within(m.over.Item().key)
		m.atOver, m.atUnder = over, m.underOK
		if over && m.underOK {
			order := bytes.Compare(m.over.Item().key, m.under.Key())
			if m.reverse {
				order = -order
			}
			m.atOver, m.atUnder = order <= 0, order >= 0
		}
		if !m.atOver || !m.over.Item().deleted {
			return m.Valid()
		}
		m.advance()
	}
}

func (m *overlayIter) within(key []byte) bool {
	if m.reverse {
		return m.lower == nil || bytes.Compare(key, m.lower) >= 0
	}
	return m.upper == nil || bytes.Compare(key, m.upper) < 0
}

// Valid reports whether the iterator stands at a key.
func (m *overlayIter) Valid() bool { return m.atOver || m.atUnder }

// Key returns the current key, valid until the iterator is moved.
func (m *overlayIter) Key() []byte {
	if m.atOver {
		return m.over.Item().key
	}
	return m.under.Key()
}

// ValueAndErr returns the current value, valid as long.
func (m *overlayIter) ValueAndErr() ([]byte, error) {
	if m.atOver {
		return m.over.Item().value, nil
	}
	return m.under.ValueAndErr()
}

// Error returns what went wrong.
func (m *overlayIter) Error() error { return m.under.Error() }

// Close ends the use of the iterator.
func (m *overlayIter) Close() error { return m.under.Close() }
