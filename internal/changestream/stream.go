package changestream

import (
	"context"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Source is where oplog entries come from.
type Source interface {
	// Scan calls fn for the durable entries with a timestamp of from or later, in their order, until fn wants no more. It
	// returns the timestamp up to which all entries were passed to fn; where fn ended it, that of the last entry. When the
	// oplog does not reach back to from, the error has code 286. An entry is valid during fn only.
	Scan(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (more bool, err error)) (end oplog.Timestamp, err error)
	// Newest returns the timestamp up to which Scan would pass entries now, or go further.
	Newest() oplog.Timestamp
}

// Lookup finds the documents of fullDocument: "updateLookup".
type Lookup interface {
	// FindByKey returns the document of a collection by its documentKey, in a durable state that is not older than atLeast; nil
	// when there is none, or when the collection is not there any more. ns is its name then; within the database it may have another now.
	FindByKey(ctx context.Context, ns []byte, uuid [16]byte, key bsonraw.Doc, atLeast oplog.Timestamp) (bsonraw.Doc, error)
}

// Images is implemented by a [Lookup] that records documents as they were before they changed. Without it no image is ever
// found: "whenAvailable" shows null, and "required" fails.
type Images interface {
	// PreImage returns the document of a collection as it was before an operation; nil when that was not recorded. The
	// operation is that of the timestamp, and in a transaction the one of that index.
	PreImage(ctx context.Context, uuid [16]byte, ts oplog.Timestamp, index int32) (bsonraw.Doc, error)
}

// Stream is a change stream between two batches: its options and its position, nothing else. It is used by one caller at a
// time.
type Stream struct {
	scope        scope
	form         form
	fullDocument image
	beforeChange image
	stages       stages
	classes      *Classes
	class        *class // nil: its batches are its own

	begun     bool            // an entry was seen
	next      oplog.Timestamp // the entry to go on with
	passed    int             // how many of that entry's events were passed already
	fragments int             // and how many fragments of the one after them
	token     []byte          // the postBatchResumeToken
	tokenTS   oplog.Timestamp // its clusterTime
	resume    *resumePoint    // nil once the event was found that the stream resumes from

	invalidated bool // the invalidate event was passed
	ended       bool // and the last batch was given
}

// Batch is what a call of Fill fills. Events are appended to Docs as the array's elements.
type Batch struct {
	Docs     *bsonraw.ArrayBuilder
	MaxDocs  int // events that the batch may have; 0: any number
	MaxBytes int // the size that it should not pass; a single event may
	Enough   int // the size that a batch of many events should not pass; 0: as MaxBytes
}

// Fill appends the events that are there now, as far as they fit. It does not wait: an empty batch of a stream that is not
// Done means that there was nothing at Position. After an error the stream must not be used, unless the batch is empty and the
// error is that of ctx: then nothing was lost.
func (s *Stream) Fill(ctx context.Context, src Source, lookup Lookup, batch *Batch) error {
	if s.invalidated {
		s.ended = true
		return nil
	}
	end := src.Newest()
	if end < s.next && end <= s.tokenTS && s.passed == 0 && s.fragments == 0 {
		return nil // there is nothing new
	}
	if !s.mayShare(batch, end) {
		_, err := s.fill(ctx, src, lookup, batch)
		return err
	}
	c := s.class
	if c.give(s, batch, end) {
		return nil
	}
	c.making.Lock()
	defer c.making.Unlock()
	if c.give(s, batch, end) {
		return nil
	}
	from := s.next
	whole, err := s.fill(ctx, src, lookup, batch)
	if whole {
		c.keep(s, batch, from)
	}
	return err
}

// fill is Fill without what streams share. whole is true when the end of the oplog was reached.
func (s *Stream) fill(ctx context.Context, src Source, lookup Lookup, batch *Batch) (whole bool, err error) {
	f := filling{stream: s, ctx: ctx, lookup: lookup, batch: batch, r: renderers.Get().(*renderer)}
	defer f.r.release()
	end, err := src.Scan(ctx, s.next, f.entry)
	if f.back && err == nil {
		end, err = src.Scan(ctx, s.next, f.entry)
	}
	f.settle()
	if err != nil {
		if ctx.Err() != nil && batch.Docs.Len() > 0 {
			return false, nil
		}
		return false, err
	}
	if f.full || s.invalidated {
		return false, nil
	}
	if end >= s.next {
		s.next, s.passed, s.fragments = end+1, 0, 0
	}
	// The end of the oplog was reached: the position moves past what the stream does not show.
	if end > s.tokenTS {
		mark := HighWaterMark(end)
		f.r.token.begin(&mark)
		s.token, s.tokenTS = f.r.token.appendDoc(s.token[:0]), end
	}
	return true, nil
}

// Close ends the use of the stream.
func (s *Stream) Close() {
	if s.class != nil {
		s.classes.leave(s.class)
		s.class = nil
	}
}

// Token returns the postBatchResumeToken: where another stream would go on after the last batch. It is valid until the next
// Fill and must not be changed.
func (s *Stream) Token() bsonraw.Doc { return s.token }

// Done reports whether the stream has ended by an invalidate event and its last batch was given.
func (s *Stream) Done() bool { return s.ended }

// Position returns the timestamp up to which everything was seen. Fill finds nothing until something later is durable.
func (s *Stream) Position() oplog.Timestamp { return s.next - 1 }
