package command

import (
	"context"
	"errors"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/plan"
)

// pipelineFeed gives the documents of a collection that have gone through a pipeline.
type pipelineFeed struct {
	walk  *plan.Walk // nil without a collection
	out   aggregation.Source
	left  int64       // documents that may still come, for a find with a limit; negative: any number
	stash bsonraw.Doc // one document that did not fit into the last batch
	ended bool
	seen  oplog.Timestamp // everything durable up to here was looked at
}

// walkSource is a walk as the source of a pipeline.
type walkSource struct{ walk *plan.Walk }

// Next returns the walk's next document.
func (s walkSource) Next(ctx context.Context) (bsonraw.Doc, error) { return s.walk.Next(ctx) }

// emptySource is the source of a pipeline on a collection that does not exist.
type emptySource struct{}

// Next returns io.EOF.
func (emptySource) Next(context.Context) (bsonraw.Doc, error) { return nil, io.EOF }

// fill appends the next documents.
func (f *pipelineFeed) fill(op *operation, batch *bsonraw.ArrayBuilder, limit batchLimit) (bool, error) {
	f.seen = op.server.store.Durable()
	for f.left != 0 {
		if limit.docs >= 0 && batch.Len() >= limit.docs {
			return false, f.pause()
		}
		doc, err := f.next(op)
		if errors.Is(err, io.EOF) {
			return f.final(), nil
		}
		if err != nil {
			return false, err
		}
		if batch.Len() > 0 && batch.Size()+len(doc) > limit.bytes {
			f.stash = doc.Clone()
			return false, f.pause()
		}
		batch.AppendDoc(doc)
		f.left--
	}
	return f.final(), f.pause()
}

// final reports whether the end is the end for good.
func (f *pipelineFeed) final() bool { return f.walk == nil || !f.walk.Tailing() || f.walk.Ended() }

// position is how far the feed has come, for those who wait for more.
func (f *pipelineFeed) position() oplog.Timestamp { return f.seen }

func (f *pipelineFeed) next(op *operation) (bsonraw.Doc, error) {
	if f.stash != nil {
		doc := f.stash
		f.stash = nil
		return doc, nil
	}
	doc, err := f.out.Next(op.ctx)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, readError(op, err)
	}
	return doc, err
}

func (f *pipelineFeed) pause() error {
	if f.walk == nil {
		return nil
	}
	return f.walk.Pause()
}

// close ends the walk. What could go wrong in it was seen while reading.
func (f *pipelineFeed) close() {
	if f.walk != nil && !f.ended {
		f.ended = true
		_ = f.walk.Close()
	}
}
