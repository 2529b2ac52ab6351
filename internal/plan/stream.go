package plan

import (
	"bytes"
	"errors"
	"slices"

	"github.com/sluicestream/sluice/internal/store"
)

// stream walks the entries of one branch of a plan, or its documents where there is no index but that of _id. Between pause and
// the next step it holds nothing of the store.
type stream struct {
	*branch
	ranges  []store.Range // what is left, in the direction of the walk
	docs    *store.Docs
	entries *store.Entries
	last    []byte // key of the last document or entry, where the walk goes on
	keys    int    // entries looked at
}

func newStream(b *branch, p *Plan) *stream {
	s := &stream{branch: b}
	if p.kind == merge {
		s.ranges = []store.Range{b.at.Range}
		return s
	}
	for _, r := range b.scan.ranges {
		s.ranges = append(s.ranges, r.Range)
	}
	if b.scan.reverse {
		slices.Reverse(s.ranges)
	}
	return s
}

// onDocs reports whether the stream walks documents: the index on _id has no entries of its own.
func (s *stream) onDocs() bool { return s.scan.index == nil || s.scan.index.IsID() }

func (s *stream) isOpen() bool { return s.docs != nil || s.entries != nil }

// step moves to the next entry or document; ok is false at the end.
func (s *stream) step(w *Walk) (ok bool, err error) {
	for len(s.ranges) > 0 {
		if !s.isOpen() {
			if err := s.open(w); err != nil {
				return false, err
			}
		}
		if s.docs != nil && s.docs.Next() || s.entries != nil && s.entries.Next() {
			s.keys++
			return true, nil
		}
		err := s.close()
		s.last, s.ranges = nil, s.ranges[1:]
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

func (s *stream) open(w *Walk) (err error) {
	if s.onDocs() {
		s.docs, err = w.view.Docs(w.plan.Collection, s.rest(), s.scan.reverse)
	} else {
		s.entries, err = w.view.Entries(s.scan.index, s.rest(), s.scan.reverse)
	}
	if err != nil {
		return err
	}
	if err := w.stillThere(s.scan.index); err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

// rest returns the first range less what was walked of it before a pause.
func (s *stream) rest() store.Range {
	r := s.ranges[0]
	switch {
	case s.last == nil:
	case s.scan.reverse:
		r.To = s.last
	default:
		r.From = append(s.last, 0)
	}
	return r
}

// key returns the key that the stream is at, within its index; valid until the next step.
func (s *stream) key() []byte {
	if s.docs != nil {
		return s.docs.IDKey()
	}
	return s.entries.Key()
}

// idKey returns the key of the current document's _id, valid until the next step.
func (s *stream) idKey() []byte {
	if s.docs != nil {
		return s.docs.IDKey()
	}
	return s.entries.IDKey()
}

// remember notes where a stream goes on after a pause.
func (s *stream) remember() { s.last = bytes.Clone(s.key()) }

// close lets go of what the stream holds.
func (s *stream) close() (err error) {
	switch {
	case s.docs != nil:
		err = s.docs.Close()
	case s.entries != nil:
		err = s.entries.Close()
	}
	s.docs, s.entries = nil, nil
	return err
}
