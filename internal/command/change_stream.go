package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// streamFeed gives the events of a change stream.
type streamFeed struct {
	stream *changestream.Stream
	store  *store.Store
	server *Server
	seen   oplog.Timestamp // the oplog was read up to here
	begun  bool
	closed bool
}

// openStream opens a change stream: an aggregate whose pipeline begins with $changeStream.
func openStream(op *operation, args *aggregateArgs, argument bsonraw.Value) error {
	op.stream = true
	if err := aggregation.CheckNames(args.pipeline); err != nil {
		return err
	}
	if op.wantUUID != nil {
		return mongoerr.New(4928900, "collectionUUID is not supported for a change stream")
	}
	if level := op.readConcern.level; level != "" && level != "majority" {
		return mongoerr.New(mongoerr.InvalidOptions, "Aggregation stage $changeStream cannot run with a readConcern other than 'majority'. "+
			"Current readConcern: %s", level)
	}
	if err := checkClusterTime(op); err != nil {
		return err
	}
	if after := op.readConcern.afterClusterTime; after != 0 { // a stream shows what is durable
		if err := op.server.store.WaitDurable(op.ctx, after); err != nil {
			return err
		}
	}
	if err := refuseView(op, op.db, args.coll); err != nil {
		return err
	}
	spec, err := changestream.Parse(argument, changestream.Target{DB: op.db, Coll: args.coll})
	if err != nil {
		return err
	}
	scope, err := op.scope("", args.collation, args.let) // a collection's collation does not hold for its streams
	if err != nil {
		return err
	}
	st := op.server.store
	stream, err := changestream.Open(spec, args.pipeline, changestream.OpenOptions{Now: st.Applied(), Scope: scope, Let: args.let, Classes: &op.server.classes})
	if err != nil {
		return err
	}
	feed := &streamFeed{stream: stream, store: st, server: op.server, seen: stream.Position()}
	op.server.counters.streamsOpen.Add(1)
	c := &cursor{ns: spec.Namespace(), feed: feed, stream: feed, waits: feed}
	if err := op.openCursor(c, args.limit(), false); err != nil {
		return mongoerr.From(err).Prefix("PlanExecutor error during aggregation :: caused by :: ")
	}
	return nil
}

// opensStream reports whether the command is an aggregate over a change stream, which it is before it has been looked into.
func opensStream(op *operation) bool {
	if op.cmd == nil || op.cmd.name != "aggregate" {
		return false
	}
	pipeline := op.body.Lookup("pipeline")
	if pipeline.Type != bsonraw.TypeArray {
		return false
	}
	stages := pipeline.Doc().Iter()
	if !stages.Next() || stages.Value().Type != bsonraw.TypeDocument {
		return false
	}
	first := stages.Value().Doc().Iter()
	return first.Next() && string(first.Key()) == "$changeStream"
}

// enoughBytes is how much of a backlog a reply brings to a client that does not say how many events it wants. It is made, sent and read
// while it is in the processor's cache, fits a pooled buffer, and costs the request little; the reader asks for the next batch while
// it works on this one.
const enoughBytes = 1<<20 - 16<<10

// fill appends the events that are there.
func (f *streamFeed) fill(op *operation, batch *bsonraw.ArrayBuilder, limit batchLimit) (bool, error) {
	if limit.docs == 0 {
		return false, nil
	}
	b := changestream.Batch{Docs: batch, MaxDocs: max(limit.docs, 0), MaxBytes: limit.bytes}
	if limit.docs < 0 {
		b.Enough = enoughBytes
	}
	// What is found first must be all there is, and in the oplog; later a getMore waits for the wave that brings it (await.go).
	var source changestream.Source = wholeLog{f.store}
	if f.begun && op.cmd.awaits {
		source = f.store.Waves()
	}
	f.begun = true
	err := f.stream.Fill(op.ctx, source, f.store, &b)
	f.seen = f.stream.Position()
	if err != nil {
		return false, readError(op, err)
	}
	return f.stream.Done(), nil
}

// wholeLog is all that is durable of the oplog.
type wholeLog struct{ *store.Store }

// Newest is the timestamp up to which it goes.
func (l wholeLog) Newest() oplog.Timestamp { return l.Durable() }

// position is how far the oplog was read.
func (f *streamFeed) position() oplog.Timestamp { return f.seen }

// appendState appends what the cursor of a change stream tells beside its batch.
func (f *streamFeed) appendState(dst []byte) []byte {
	dst = bsonraw.AppendDoc(dst, "postBatchResumeToken", f.stream.Token())
	if f.stream.Done() {
		dst = bsonraw.AppendBool(dst, "invalidated", true)
	}
	return dst
}

func (f *streamFeed) close() {
	if !f.closed {
		f.closed = true
		f.stream.Close()
		f.server.counters.streamsOpen.Add(-1)
	}
}
