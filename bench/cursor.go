package main

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// awaitTime is how long a server waits for events before it answers a getMore without any.
const awaitTime = time.Second

// bareStream reads a change stream by plain commands, so that the client costs as little CPU as may be. It belongs to one goroutine.
type bareStream struct {
	database   *mongo.Database
	session    *mongo.Session
	collection string
	cursor     int64
	first      []byte   // the batch that came with the opening; the next read returns it
	token      bson.Raw // after the latest batch
}

// openStream watches a collection. spec is $changeStream's argument, nil for its defaults; stages follow it.
func openStream(ctx context.Context, p *peer, collection string, spec bson.D, stages ...bson.D) (*bareStream, error) {
	session, err := p.streams.StartSession() // a cursor belongs to the session that opened it
	if err != nil {
		return nil, err
	}
	s := &bareStream{database: p.streams.Database(databaseName), session: session, collection: collection}
	if spec == nil {
		spec = bson.D{}
	}
	pipeline := append([]bson.D{{{Key: "$changeStream", Value: spec}}}, stages...)
	reply, err := s.command(ctx, bson.D{
		{Key: "aggregate", Value: collection},
		{Key: "pipeline", Value: pipeline},
		{Key: "cursor", Value: bson.D{}},
	})
	if err != nil {
		session.EndSession(ctx)
		return nil, fmt.Errorf("open a change stream: %w", err)
	}
	s.cursor = reply.Lookup("cursor", "id").AsInt64()
	s.first = reply.Lookup("cursor", "firstBatch").Array()
	s.token = reply.Lookup("cursor", "postBatchResumeToken").Document()
	return s, nil
}

func (s *bareStream) command(ctx context.Context, command bson.D) (bson.Raw, error) {
	return s.database.RunCommand(mongo.NewSessionContext(ctx, s.session), command).Raw()
}

// read returns the next batch, an array of events, which is empty when none came within awaitTime.
func (s *bareStream) read(ctx context.Context) ([]byte, error) {
	if s.first != nil {
		batch := s.first
		s.first = nil
		return batch, nil
	}
	reply, err := s.command(ctx, bson.D{
		{Key: "getMore", Value: s.cursor},
		{Key: "collection", Value: s.collection},
		{Key: "maxTimeMS", Value: awaitTime.Milliseconds()},
	})
	if err != nil {
		return nil, fmt.Errorf("read a change stream: %w", err)
	}
	if s.cursor = reply.Lookup("cursor", "id").AsInt64(); s.cursor == 0 {
		return nil, fmt.Errorf("read a change stream: the server closed it: %s", reply)
	}
	s.token = reply.Lookup("cursor", "postBatchResumeToken").Document()
	return reply.Lookup("cursor", "nextBatch").Array(), nil
}

// close frees the cursor. What fails in it costs the server a cursor until its session ends.
func (s *bareStream) close(ctx context.Context) {
	_, _ = s.command(ctx, bson.D{{Key: "killCursors", Value: s.collection}, {Key: "cursors", Value: bson.A{s.cursor}}})
	s.session.EndSession(ctx)
}
