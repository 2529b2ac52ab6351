package changestream

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// splitAbove is the size above which $changeStreamSplitLargeEvent splits an event: what a reply carries, less some room.
const splitAbove = maxEvent - 8<<10

// fragment is the fields of one fragment, each with type, name and value.
type fragment [][]byte

// split distributes the fields of an event to fragments: the smallest first, as many into each as fit. Nil means that the event
// is not large enough.
func (s *Stream) split(event bsonraw.Doc) ([]fragment, error) {
	if !s.stages.split || len(event) <= splitAbove {
		return nil, nil
	}
	limit := splitAbove
	var fields [][]byte
	for it := event.Iter(); it.Next(); {
		if string(it.Key()) == "_id" {
			limit -= len(it.Value().Data)
		} else {
			fields = append(fields, it.Elem())
		}
	}
	if len(fields) == 0 {
		return nil, mongoerr.New(7182502, "An event that consists of its _id alone cannot be split, and has %d bytes", len(event))
	}
	slices.SortFunc(fields, func(a, b []byte) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return bytes.Compare(a[1:], b[1:])
	})
	var fragments []fragment
	room := 0
	for _, field := range fields {
		if len(field) > limit {
			return nil, mongoerr.New(7182500, "Splitting change event failed: the field %q alone has %d bytes, more than the %d that fit", fieldName(field), len(field), limit)
		}
		if len(fragments) == 0 || len(field) > room {
			fragments = append(fragments, nil)
			room = limit
		}
		last := &fragments[len(fragments)-1]
		*last = append(*last, field)
		room -= len(field)
	}
	return fragments, nil
}

func fieldName(elem []byte) []byte { return elem[1 : 1+bytes.IndexByte(elem[1:], 0)] }

// deliverFragments appends the fragments of an event that are left. It stops where the batch is full.
func (f *filling) deliverFragments(from source, doc bsonraw.Doc, fragments []fragment) error {
	s := f.stream
	token, err := ParseToken(eventID(doc))
	if err != nil {
		return err
	}
	for s.fragments < len(fragments) {
		token.Fragment = int32(s.fragments)
		id := token.Append(nil)
		out := appendFragment(nil, id, fragments, s.fragments)
		if !f.fits(out) {
			s.passed, f.full = from.number, true
			return nil
		}
		f.batch.Docs.AppendDoc(out)
		f.setToken(id, from.entry.Time())
		s.fragments++
		if s.fragments < len(fragments) && f.batch.MaxDocs > 0 && f.batch.Docs.Len() >= f.batch.MaxDocs {
			s.passed, f.full = from.number, true
			return nil
		}
	}
	s.fragments = 0
	f.advance(from)
	return nil
}

func appendFragment(dst []byte, id bsonraw.Doc, fragments []fragment, i int) []byte {
	dst, at := bsonraw.BeginDoc(dst)
	dst = bsonraw.AppendDoc(dst, "_id", id)
	dst, split := bsonraw.BeginElem(dst, bsonraw.TypeDocument, "splitEvent")
	dst = bsonraw.AppendInt32(dst, "fragment", int32(i+1))
	dst = bsonraw.AppendInt32(dst, "of", int32(len(fragments)))
	dst = bsonraw.EndDoc(dst, split)
	for _, field := range fragments[i] {
		dst = append(dst, field...)
	}
	return bsonraw.EndDoc(dst, at)
}

// resumeFragment ends the search for the event that the stream resumes from: what was given of it was a fragment, and those
// after it are left.
func (s *Stream) resumeFragment(fragments []fragment) error {
	given := int(s.resume.fragment) + 1
	if fragments == nil {
		return mongoerr.New(mongoerr.ChangeStreamFatalError, "Attempted to resume from a split event, but the resumed event is not large enough to be split. "+
			"Ensure that the pipeline used to resume is the same as the original")
	}
	if given > len(fragments) {
		return mongoerr.New(mongoerr.ChangeStreamFatalError, "Attempted to resume from a split event fragment, but the event in the resumed stream produced a "+
			"different split. Ensure that the pipeline used to resume is the same as the original")
	}
	s.resume, s.fragments = nil, given
	return nil
}
