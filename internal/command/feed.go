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
	walk  *plan.Walk   // of a find; nil without a collection
	env   *environment // of an aggregate
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
	if f.env != nil {
		f.env.op = op
		defer func() { f.env.op = nil }()
	}
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
	switch {
	case f.walk != nil:
		return f.walk.Pause()
	case f.env != nil:
		return f.env.pause()
	}
	return nil
}

// close ends the walks. What could go wrong in them was seen while reading.
func (f *pipelineFeed) close() {
	if f.ended {
		return
	}
	f.ended = true
	if f.walk != nil {
		_ = f.walk.Close()
	}
	if f.env != nil {
		f.env.close()
	}
}
