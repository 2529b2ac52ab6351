package main

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// awaitTime is how long a server waits for events before it answers a getMore without any.
const awaitTime = time.Second

// bareStream reads a change stream by plain commands on a connection of its own. It belongs to one goroutine.
type bareStream struct {
	*worker
	collection string
	cursor     int64
	first      []byte   // the batch that came with the opening; the next read returns it
	token      bson.Raw // after the opening
	next       message  // the getMore
}

// openStream watches a collection. spec is $changeStream's argument, nil for its defaults; stages follow it.
func openStream(ctx context.Context, p *peer, collection string, spec bson.D, stages ...bson.D) (*bareStream, error) {
	w, err := p.newWorker(ctx, 0, 0)
	if err != nil {
		return nil, err
	}
	if spec == nil {
		spec = bson.D{}
	}
	s := &bareStream{worker: w, collection: collection}
	reply, err := s.command(bson.D{
		{Key: "aggregate", Value: collection},
		{Key: "pipeline", Value: append([]bson.D{{{Key: "$changeStream", Value: spec}}}, stages...)},
		{Key: "cursor", Value: bson.D{}},
		w.session,
	})
	if err != nil {
		w.close()
		return nil, fmt.Errorf("open a change stream: %w", err)
	}
	reply = append(bson.Raw(nil), reply...) // what is read next overwrites it
	s.cursor = reply.Lookup("cursor", "id").AsInt64()
	s.first = reply.Lookup("cursor", "firstBatch").Array()
	s.token = reply.Lookup("cursor", "postBatchResumeToken").Document()
	s.next, err = newMessage(databaseName, bson.D{
		{Key: "getMore", Value: s.cursor}, {Key: "collection", Value: collection}, {Key: "maxTimeMS", Value: awaitTime.Milliseconds()}, w.session,
	}, "")
	return s, err
}

func (s *bareStream) command(command bson.D) (bson.Raw, error) {
	m, err := newMessage(databaseName, command, "")
	if err != nil {
		return nil, err
	}
	return s.ask(m)
}

// read returns the next batch, an array of events, which is empty when none came within awaitTime. It is valid until the next call.
func (s *bareStream) read() ([]byte, error) {
	if s.first != nil {
		batch := s.first
		s.first = nil
		return batch, nil
	}
	reply, err := s.ask(s.next)
	if err != nil {
		return nil, fmt.Errorf("read a change stream: %w", err)
	}
	cursor := reply.Lookup("cursor").Document()
	if cursor.Lookup("id").AsInt64() == 0 {
		return nil, fmt.Errorf("read a change stream: the server closed it: %s", reply)
	}
	return cursor.Lookup("nextBatch").Array(), nil
}

// kill frees the cursor and ends the connection. What fails in it costs the server a cursor until its session ends.
func (s *bareStream) kill() {
	_, _ = s.command(bson.D{{Key: "killCursors", Value: s.collection}, {Key: "cursors", Value: bson.A{s.cursor}}, s.session})
	s.close()
}
