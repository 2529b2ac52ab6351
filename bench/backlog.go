package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	backlogCollection = "backlog"
	backlogEvents     = 100_000
	// keptOneIn is how many events of a filtered backlog there are for each that the filter keeps.
	keptOneIn = 100
)

func backlogWorkloads() []workload {
	b := newBacklog()
	keep := bson.D{{Key: "$match", Value: bson.D{{Key: "fullDocument.v", Value: int64(0)}}}}
	return []workload{
		{
			name: "backlog", about: fmt.Sprintf("one stream reads a backlog of %d inserts, bare getMore", backlogEvents), clean: []string{backlogCollection},
			rows:    []row{{"rate", "events/s", higher, goal{advantage: 8}}, {"cpu", "us server CPU/event", lower, goal{limit: 1.7}}},
			prepare: b.write, measure: b.reading(backlogEvents),
		},
		{
			name: "backlog-match", about: fmt.Sprintf("the same behind a $match on fullDocument that keeps one event of %d", keptOneIn), clean: []string{backlogCollection},
			rows:    []row{{"rate", "events scanned/s", higher, goal{advantage: 5}}, {"cpu", "us server CPU/event scanned", lower, goal{}}},
			prepare: b.write, measure: b.reading(backlogEvents/keptOneIn, keep),
		},
	}
}

// backlog is a collection's inserts, to be read by streams that start before them.
type backlog struct {
	starts map[*peer]bson.Timestamp
}

func newBacklog() backlog { return backlog{starts: map[*peer]bson.Timestamp{}} }

// write makes a new backlog, in which one document of keptOneIn has a v of 0.
func (b backlog) write(ctx context.Context, p *peer) error {
	if err := p.collection(backlogCollection).Drop(ctx); err != nil {
		return err
	}
	start, err := p.operationTime(ctx)
	if err != nil {
		return err
	}
	start.I++ // behind the drop, which would end the stream
	b.starts[p] = start
	return p.fillWith(ctx, backlogCollection, backlogEvents, func(id int64) bson.Raw {
		doc := newDocument(id)
		setV(doc, id%keptOneIn)
		return doc
	})
}

// operationTime is the time of the server's latest operation.
func (p *peer) operationTime(ctx context.Context) (bson.Timestamp, error) {
	var reply struct {
		OperationTime bson.Timestamp `bson:"operationTime"`
	}
	err := p.client.Database("admin").RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Decode(&reply)
	return reply.OperationTime, err
}

// reading measures streams that read the backlog to its end, one after the other; of each, expected events come through its stages.
func (b backlog) reading(expected int, stages ...bson.D) func(context.Context, *peer, round) (sample, error) {
	return func(ctx context.Context, p *peer, r round) (sample, error) {
		m := measurement{}
		begin := time.Now()
		cpuBefore, known := p.cpu()
		for m.elapsed < r.duration {
			if err := b.read(ctx, p, expected, stages); err != nil {
				return nil, err
			}
			m.units += backlogEvents
			m.elapsed = time.Since(begin)
		}
		cpuAfter, knownAfter := p.cpu()
		m.serverCPU, m.cpuKnown = cpuAfter-cpuBefore, known && knownAfter
		return m.sample(), nil
	}
}

// read opens a stream and reads the whole backlog.
func (b backlog) read(ctx context.Context, p *peer, expected int, stages []bson.D) error {
	s, err := openStream(ctx, p, backlogCollection, bson.D{{Key: "startAtOperationTime", Value: b.starts[p]}}, stages...)
	if err != nil {
		return err
	}
	defer s.kill()
	count := 0
	for count < expected {
		batch, err := s.read()
		if err != nil {
			return err
		}
		n := eachDocument(batch, nil)
		if n == 0 && len(stages) == 0 {
			return fmt.Errorf("the backlog ended after %d of %d events", count, expected)
		}
		count += n
	}
	if count != expected {
		return fmt.Errorf("the backlog held %d events, %d were expected", count, expected)
	}
	return nil
}

const resumeCollection = "resumed"

// resumeWorkloads measure how long a reader waits that has been away: the one event that its filter keeps is the last of many.
func resumeWorkloads() []workload {
	behind := func(name string, events int64) workload {
		tokens := map[*peer]bson.Raw{}
		return workload{
			name: name, about: fmt.Sprintf("first event of a stream resumed %d events behind, through a selective filter", events), clean: []string{resumeCollection},
			rows: []row{{"p50", "ms to the first event", lower, goal{advantage: 10}}, {"cpu", "us server CPU/resume", lower, goal{}}},
			prepare: func(ctx context.Context, p *peer) (err error) {
				tokens[p], err = fallBehind(ctx, p, events)
				return err
			},
			measure: func(ctx context.Context, p *peer, r round) (sample, error) {
				m, err := p.run(ctx, 1, r.duration, r.seed, func(*worker) (step, error) {
					return func() (int, error) { return 1, firstEvent(ctx, p, tokens[p]) }, nil
				})
				return m.sample(), err
			},
		}
	}
	return []workload{behind("resume-10k", 10_000), behind("resume-100k", 100_000)}
}

// fallBehind returns a token and then inserts: documents with a v of 0, and a last one with a v of 1.
func fallBehind(ctx context.Context, p *peer, events int64) (bson.Raw, error) {
	collection := p.collection(resumeCollection)
	if err := collection.Drop(ctx); err != nil {
		return nil, err
	}
	s, err := openStream(ctx, p, resumeCollection, nil)
	if err != nil {
		return nil, err
	}
	token := s.token
	s.kill()
	if err := p.fill(ctx, resumeCollection, events-1); err != nil {
		return nil, err
	}
	last := newDocument(events)
	setV(last, 1)
	_, err = collection.InsertOne(ctx, last)
	return token, err
}

// firstEvent resumes and reads until an event comes.
func firstEvent(ctx context.Context, p *peer, token bson.Raw) error {
	keep := bson.D{{Key: "$match", Value: bson.D{{Key: "fullDocument.v", Value: int64(1)}}}}
	s, err := openStream(ctx, p, resumeCollection, bson.D{{Key: "resumeAfter", Value: token}}, keep)
	if err != nil {
		return err
	}
	defer s.kill()
	for range 1000 {
		batch, err := s.read()
		if err != nil {
			return err
		}
		if eachDocument(batch, nil) > 0 {
			return nil
		}
	}
	return errors.New("no event came through the filter")
}
