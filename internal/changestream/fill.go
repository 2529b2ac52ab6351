package changestream

import (
	"context"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// filling is one call of Fill.
type filling struct {
	stream *Stream
	ctx    context.Context
	lookup Lookup
	batch  *Batch
	r      *renderer
	back   bool // the stream has gone back to the first part of a transaction
	full   bool // nothing more fits; the stream's position is where to go on
	lastAt int  // where in the batch the event given last begins, whose token is taken when the batch is done; 0: it was taken
}

// source is where an event comes from.
type source struct {
	entry  *oplog.Entry
	number int  // among the events of the entry, so that a stream can go on within one
	last   bool // of the entry
}

// entry passes the events of one oplog entry to the batch.
func (f *filling) entry(e *oplog.Entry) (more bool, err error) {
	s := f.stream
	if !s.begun {
		s.begun = true
		if e.Part.Number > 0 {
			// The time that the stream begins at is that of a transaction whose first parts lie before it.
			s.next, f.back = e.TS-oplog.Timestamp(e.Part.Number), true
			return false, nil
		}
	}
	if e.TS != s.next {
		s.next, s.passed, s.fragments = e.TS, 0, 0
	}
	if err := f.events(e); err != nil {
		return false, err
	}
	if f.full {
		return false, nil
	}
	s.next, s.passed, s.fragments = e.TS+1, 0, 0
	return !s.invalidated, nil
}

func (f *filling) events(e *oplog.Entry) error {
	s := f.stream
	switch {
	case e.Op == oplog.NoOp, e.FromMigrate:
		return nil
	case e.Op == oplog.Command:
		if ops, ok := transactionOps(e); ok {
			return f.transaction(e, ops)
		}
	case s.scope.sees(e.NS):
		return f.event(source{entry: e, last: true}, nil)
	case !s.scope.views || !isViews(e.Coll()):
		return nil
	}
	c, ok := f.r.read(e)
	if !ok || !s.shows(c) {
		return nil
	}
	return f.command(e, c)
}

// shows reports whether the stream shows an event that is not of a document.
func (s *Stream) shows(c *change) bool {
	return s.scope.seesChange(c) && (s.form&formExpanded != 0 || !c.kind.expanded())
}

// command passes the event of a command, and the invalidate event that it may cause.
func (f *filling) command(e *oplog.Entry, c *change) error {
	invalidates := f.stream.scope.invalidatedBy(c)
	if err := f.event(source{entry: e, last: !invalidates}, c); err != nil || f.full || !invalidates {
		return err
	}
	c, _ = f.r.read(e)
	c.invalidate = true
	return f.event(source{entry: e, number: 1, last: true}, c)
}

// event passes one event through the stages to the batch. c is nil where the event is that of a document's entry, not read yet.
func (f *filling) event(from source, c *change) error {
	s := f.stream
	if from.number < s.passed {
		return nil
	}
	order := 0
	if s.resume != nil {
		if c == nil {
			var ok bool
			if c, ok = f.r.read(from.entry); !ok {
				return nil
			}
		}
		if order = s.resume.compare(&f.r.token, c); order < 0 {
			return f.swallow(from, c)
		}
		if order == 0 && c.invalidate {
			// What the stream resumes from ended the stream before it. Filters do not hide it here.
			s.resume = nil
			return nil
		}
	}
	invalidate := c != nil && c.invalidate
	if s.stages.asked != nil && s.resume == nil && !invalidate {
		if c == nil {
			var ok bool
			if c, ok = f.r.read(from.entry); !ok {
				return nil
			}
		}
		if drops, err := s.stages.asked.drops(&f.r.expressions, c); err != nil || drops {
			return err
		}
	}
	if s.stages.empty() && !s.stages.split && s.resume == nil && !invalidate && !f.looksUp(from) {
		return f.encodeInto(from, c)
	}
	doc, err := f.encode(from.entry, c)
	if err != nil || len(doc) == 0 {
		return err
	}
	out, err := f.transform(from, c, doc, order)
	switch {
	case err != nil:
		return err
	case len(out) > 0:
		delivered, err := f.deliver(from, doc, out)
		if err == nil && delivered && invalidate {
			s.invalidated, s.ended = true, !f.full
		}
		return err
	case invalidate:
		f.setToken(eventID(doc), from.entry.Time())
		s.invalidated, s.ended = true, true
	}
	return nil
}

// swallow passes an event over that comes before the one that the stream resumes from. Its images are missed all the same, where they are required.
func (f *filling) swallow(from source, c *change) error {
	s := f.stream
	if s.fullDocument != imageRequired && s.beforeChange != imageRequired || from.entry.Op == oplog.Insert || c.invalidate {
		return nil
	}
	doc, err := f.encode(from.entry, c)
	if err != nil || len(doc) == 0 {
		return err
	}
	f.r.expressions.Reset()
	if doc, err = f.apply(s.stages.first(c), doc); err != nil || doc == nil {
		return err
	}
	_, err = f.addImages(c, doc)
	return err
}

// encode encodes an event. The result is valid until the renderer is used again. It is empty when the entry is no event after all.
func (f *filling) encode(e *oplog.Entry, c *change) (out []byte, err error) {
	if c == nil {
		var ok bool
		if c, ok = f.r.read(e); !ok {
			return nil, nil
		}
	}
	f.r.out, err = f.r.appendEvent(f.r.out[:0], c, f.stream.form)
	return f.r.out, err
}

// encodeInto encodes an event to which nothing else is done straight into the batch.
func (f *filling) encodeInto(from source, c *change) (err error) {
	if c == nil {
		var ok bool
		if c, ok = f.r.read(from.entry); !ok {
			return nil
		}
	}
	s, docs := f.stream, f.batch.Docs
	before, had, size := docs.Mark(), docs.Len(), docs.Size()
	dst := docs.BeginWhole(len(from.entry.Raw) + eventOverhead)
	at := len(dst)
	dst, err = f.r.appendEvent(dst, c, s.form)
	docs.Resume(dst)
	if err == nil {
		err = s.checkSize(dst[at:])
	}
	switch {
	case err != nil:
		docs.Undo(before)
		return err
	case had > 0 && size+len(dst)-at+elementOverhead > f.batch.limit(had):
		docs.Undo(before)
		s.passed, f.full = from.number, true
		return nil
	}
	f.lastAt, s.tokenTS = at, from.entry.Time()
	f.advance(from)
	return nil
}

// eventOverhead is about what an event has beside what its entry has.
const eventOverhead = 512

// deliver appends an event to the batch. ok is false when it did not fit: the stream then stands before it.
func (f *filling) deliver(from source, doc, out bsonraw.Doc) (ok bool, err error) {
	s := f.stream
	fragments, err := s.split(out)
	if err != nil {
		return false, err
	}
	if s.resume != nil {
		if err := s.resumeFragment(fragments); err != nil {
			return false, err
		}
	}
	if fragments != nil {
		return true, f.deliverFragments(from, doc, fragments)
	}
	if !f.fits(out) {
		s.passed, f.full = from.number, true
		return false, nil
	}
	f.batch.Docs.AppendDoc(out)
	f.setToken(eventID(doc), from.entry.Time())
	f.advance(from)
	return true, nil
}

// elementOverhead is what an array's element has beside its value: type, index and the array's end.
const elementOverhead = 12

// fits reports whether an event may go into the batch: every one may as the first.
func (f *filling) fits(doc bsonraw.Doc) bool {
	n := f.batch.Docs.Len()
	return n == 0 || f.batch.Docs.Size()+len(doc)+elementOverhead <= f.batch.limit(n)
}

// manyEvents is how many events may be in a batch before Enough bounds it: events that are large come in batches as in MongoDB.
const manyEvents = 101

// limit is the size that a batch with n events may have with one more.
func (b *Batch) limit(n int) int {
	if n >= manyEvents && b.Enough > 0 {
		return min(b.MaxBytes, b.Enough)
	}
	return b.MaxBytes
}

// advance moves the position behind an event when the batch has all that it may have.
func (f *filling) advance(from source) {
	if f.batch.MaxDocs <= 0 || f.batch.Docs.Len() < f.batch.MaxDocs {
		return
	}
	f.full = true
	s := f.stream
	s.passed, s.fragments = from.number+1, 0
	if from.last {
		s.next, s.passed = from.entry.TS+1, 0
	}
}

func (f *filling) setToken(id bsonraw.Doc, ts oplog.Timestamp) {
	s := f.stream
	s.token, s.tokenTS, f.lastAt = append(s.token[:0], id...), ts, 0
}

// settle takes the token of the event given last.
func (f *filling) settle() {
	if f.lastAt > 0 {
		f.setToken(eventID(f.batch.Docs.From(f.lastAt)), f.stream.tokenTS)
	}
}

// eventID returns an event's _id, which is its resume token.
func eventID(event bsonraw.Doc) bsonraw.Doc { return event.Lookup("_id").Doc() }
