package sluice

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// fragments puts events together again that the server split because they were too large for one document. Each
// fragment holds some of the event's top-level fields, a resume token of its own, and splitEvent: {fragment, of}.
type fragments struct {
	on    bool
	parts []bson.Raw
	of    int64
}

const splitField = "splitEvent"

func (f *fragments) pending() bool { return len(f.parts) > 0 }

func (f *fragments) reset() { f.parts, f.of = nil, 0 }

// join replaces fragments in events, in place, by the events that they make up; the fragments of an event that is not
// complete yet are kept. err is passed through, unless a fragment does not fit.
func (f *fragments) join(events []bson.Raw, err error) ([]bson.Raw, error) {
	if !f.on {
		return events, err
	}
	whole := events[:0]
	for _, event := range events {
		split, isFragment := event.Lookup(splitField).DocumentOK()
		if !isFragment {
			if f.pending() {
				return whole, misfit("an event", len(f.parts)+1)
			}
			whole = append(whole, event)
			continue
		}
		number, _ := split.Lookup("fragment").AsInt64OK()
		of, _ := split.Lookup("of").AsInt64OK()
		if number != int64(len(f.parts))+1 || f.pending() && of != f.of || of < number {
			return whole, misfit(fmt.Sprintf("fragment %d of %d", number, of), len(f.parts)+1)
		}
		f.parts, f.of = append(f.parts, event), of
		if number < of {
			continue
		}
		event, mergeErr := merge(f.parts)
		f.reset()
		if mergeErr != nil {
			return whole, mergeErr
		}
		whole = append(whole, event)
	}
	return whole, err
}

// errFragment tells that fragments do not make an event. Opening again would bring the same ones.
var errFragment = errors.New("fragments of a large event do not fit together")

func misfit(got string, want int) error {
	return &cursorError{err: fmt.Errorf("%w: %s came where fragment %d was due", errFragment, got, want)}
}

// merge makes one document of the fragments' fields. Its _id is the last fragment's, which is the position after the
// event.
func merge(parts []bson.Raw) (bson.Raw, error) {
	size := emptyDocumentLen
	for _, part := range parts {
		size += len(part)
	}
	doc := make([]byte, 4, size)
	for i := range parts {
		elements, err := parts[i].Elements()
		if err != nil {
			return nil, &cursorError{err: fmt.Errorf("%w: number %d of %d: %w", errFragment, i+1, len(parts), err)}
		}
		for _, element := range elements {
			key := element.Key()
			if key == splitField || key == "_id" && i < len(parts)-1 {
				continue
			}
			doc = append(doc, element...)
		}
	}
	doc = append(doc, 0)
	binary.LittleEndian.PutUint32(doc, uint32(len(doc)))
	return slices.Clip(doc), nil
}
