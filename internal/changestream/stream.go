package changestream

import (
	"context"
	"unique"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Source is where oplog entries come from.
type Source interface {
	// Scan calls fn for the durable entries with a timestamp of from or later, in their order, until fn wants no more. It
	// returns the timestamp up to which all entries were passed to fn; where fn ended it, that of the last entry. When the
	// oplog does not reach back to from, the error has code 286. An entry that is not shared is valid during fn only.
	Scan(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (more bool, err error)) (end oplog.Timestamp, err error)
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
	class        unique.Handle[string] // of all streams whose stages make the same of an event
	shares       bool                  // what the stages make of an event is kept with a shared entry

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
}

// Fill appends the events that are there now, as far as they fit. It does not wait: an empty batch of a stream that is not
// Done means that there was nothing at Position. After an error the stream must not be used, unless the batch is empty and the
// error is that of ctx: then nothing was lost.
func (s *Stream) Fill(ctx context.Context, src Source, lookup Lookup, batch *Batch) error {
	if s.invalidated {
		s.ended = true
		return nil
	}
	f := filling{stream: s, ctx: ctx, lookup: lookup, batch: batch, r: renderers.Get().(*renderer)}
	defer f.r.release()
	end, err := src.Scan(ctx, s.next, f.entry)
	if f.back && err == nil {
		end, err = src.Scan(ctx, s.next, f.entry)
	}
	f.settle()
	if err != nil {
		if ctx.Err() != nil && batch.Docs.Len() > 0 {
			return nil
		}
		return err
	}
	if f.full || s.invalidated {
		return nil
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
	return nil
}

// Token returns the postBatchResumeToken: where another stream would go on after the last batch. It is valid until the next
// Fill and must not be changed.
func (s *Stream) Token() bsonraw.Doc { return s.token }

// Done reports whether the stream has ended by an invalidate event and its last batch was given.
func (s *Stream) Done() bool { return s.ended }

// Position returns the timestamp up to which everything was seen. Fill finds nothing until something later is durable.
func (s *Stream) Position() oplog.Timestamp { return s.next - 1 }
