package changestream

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/oplog"
)

// maxEvent is the largest event that a reply carries: a stored document and what a server may add to it.
const maxEvent = bsonraw.MaxDocumentSize + 16<<10

// transform runs the stages on an event, with the lookup of images and the search for the event that the stream resumes from
// in their places. order says how the event compares with that one. The result is empty when the event is not to be shown.
func (f *filling) transform(from source, c *change, doc bsonraw.Doc, order int) (bsonraw.Doc, error) {
	s := f.stream
	switch looksUp := f.looksUp(from); {
	case s.stages.empty() && !looksUp && s.resume == nil:
		return doc, s.checkSize(doc)
	case !looksUp:
		c = nil
	case c == nil:
		c, _ = f.r.read(from.entry)
	}
	return f.run(c, doc, order)
}

// looksUp reports whether the event may show documents that its entry does not have.
func (f *filling) looksUp(from source) bool {
	return f.stream.images() && from.entry.Op != oplog.Insert
}

func (s *Stream) images() bool { return s.fullDocument != imageOff || s.beforeChange != imageOff }

// run runs the stages. c is nil when no image belongs to the event.
func (f *filling) run(c *change, event bsonraw.Doc, order int) (doc bsonraw.Doc, err error) {
	s := f.stream
	f.r.expressions.Reset()
	if doc, err = f.apply(s.stages.first(c), event); err != nil || doc == nil {
		return nil, err
	}
	if doc, err = f.addImages(c, doc); err != nil || doc == nil {
		return nil, err
	}
	if doc, err = f.apply(s.stages.front, doc); err != nil || doc == nil {
		return nil, err
	}
	if s.resume != nil {
		if order > 0 {
			return nil, errNotFound(eventID(event))
		}
		if s.resume.fragment == WholeEvent {
			s.resume = nil
			return nil, nil
		}
		// Some of its fragments were given: it is split again, and the others follow.
	}
	if doc, err = f.apply(s.stages.rest, doc); err != nil || doc == nil {
		return nil, err
	}
	if !s.stages.empty() {
		if doc, err = aggregation.Settle(&f.r.expressions, doc); err != nil {
			return nil, err
		}
		if err := checkID(event, doc); err != nil {
			return nil, err
		}
	}
	return doc, s.checkSize(doc)
}

// apply runs a part of the stages; the result is nil when they drop the event.
func (f *filling) apply(p *aggregation.Pipeline, doc bsonraw.Doc) (bsonraw.Doc, error) {
	if p == nil {
		return doc, nil
	}
	out, keep, err := p.Apply(&f.r.expressions, doc)
	if err != nil || !keep {
		return nil, err
	}
	return out, nil
}

// checkID holds the stages to what makes a stream resumable: the event keeps its _id.
func checkID(event, out bsonraw.Doc) error {
	want, got := event.Lookup("_id"), out.Lookup("_id")
	if got.Same(want) {
		return nil
	}
	return mongoerr.New(mongoerr.ChangeStreamFatalError, "Encountered an event whose _id field, which contains the resume token, was modified by the pipeline. "+
		"Modifying the _id field of an event makes it impossible to resume the stream from that point. Only transformations that retain the "+
		"unmodified _id field are allowed. Expected: %s but found: %s", onlyID(want).Shell(), onlyID(got).Shell())
}

func onlyID(v bsonraw.Value) bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(bsonraw.AppendValue(dst, "_id", v), at)
}

func (s *Stream) checkSize(doc bsonraw.Doc) error {
	if len(doc) <= maxEvent || s.stages.split {
		return nil
	}
	first := ""
	if it := doc.Iter(); it.Next() {
		first = " First element: " + string(it.Key()) + ": " + it.Value().Shell()
		first = first[:min(len(first), 400)]
	}
	return mongoerr.New(mongoerr.BSONObjectTooLarge, "BSONObj size: %d (0x%X) is invalid. Size must be between 0 and %d(16MB)%s", len(doc), len(doc), maxEvent, first)
}
