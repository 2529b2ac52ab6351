package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	liveCollection = "live"
	liveWriters    = 8
	// drainTimeout bounds how long streams may take to deliver what was written before the writers stopped.
	drainTimeout = 60 * time.Second
)

func liveWorkloads() []workload {
	live := func(streams int, rows ...row) workload {
		return workload{
			name: fmt.Sprintf("live-%d", streams), about: fmt.Sprintf("%d inserting flat out, %d live streams", liveWriters, streams), clean: []string{liveCollection}, rows: rows,
			measure: func(ctx context.Context, p *peer, r round) (sample, error) {
				return insertLoad(streams).measure(ctx, p, r)
			},
		}
	}
	one := live(1, row{"kept", "of the writes without a stream", higher, goal{limit: 0.95}}, row{"rate", "writes/s", higher, goal{}},
		row{"p50", "ms from write to delivery", lower, goal{limit: 1}}, row{"p99", "ms from write to delivery", lower, goal{}})
	one.measure = func(ctx context.Context, p *peer, r round) (sample, error) {
		load := insertLoad(1)
		alone, err := p.run(ctx, liveWriters, r.duration, r.seed, load.write(p))
		if err != nil {
			return nil, err
		}
		s, err := load.measure(ctx, p, r)
		if err != nil {
			return nil, err
		}
		s["kept"] = s["rate"] / alone.sample()["rate"]
		return s, nil
	}
	many := func(streams int, deliveries, writes, p50, memory goal) workload {
		return live(streams, row{"deliveries", "deliveries/s", higher, deliveries}, row{"rate", "writes/s", higher, writes},
			row{"p50", "ms from write to delivery", lower, p50}, row{"p99", "ms from write to delivery", lower, goal{}},
			row{"cpu", "us server CPU/delivery", lower, goal{}}, row{"memory", "MB resident with the streams open", lower, memory})
	}
	thousand := many(1000, goal{advantage: 15}, goal{advantage: 20}, goal{}, goal{limit: 250})
	thousand.fresh = true // its memory has a goal
	return []workload{
		one,
		many(10, goal{advantage: 8}, goal{advantage: 8}, goal{}, goal{}),
		many(100, goal{advantage: 15}, goal{}, goal{advantage: 10}, goal{}),
		thousand,
	}
}

// liveLoad is what writers write flat out and how streams follow it.
type liveLoad struct {
	streams    int
	collection string
	spec       bson.D // of the streams; nil: the defaults
	write      func(p *peer) task
}

func insertLoad(streams int) liveLoad {
	return liveLoad{streams: streams, collection: liveCollection, write: func(p *peer) task { return p.inserting(liveCollection, 1) }}
}

const followedCollection = "followed"

// followedWorkloads update documents while one stream follows in each of the forms that cost a server more than the event itself.
func followedWorkloads() []workload {
	by := func(name, about string, spec bson.D) workload {
		load := liveLoad{
			streams: 1, collection: followedCollection, spec: spec,
			write: func(*peer) task { return incrementing(followedCollection, updateDocuments) },
		}
		return workload{
			name: name, about: fmt.Sprintf("$inc by _id among %d documents, %d at once, one live stream%s", updateDocuments, liveWriters, about), clean: []string{followedCollection},
			rows: []row{{"rate", "writes/s", higher, goal{advantage: 5}}, {"deliveries", "deliveries/s", higher, goal{}}, {"cpu", "us server CPU/delivery", lower, goal{}}},
			prepare: func(ctx context.Context, p *peer) error {
				if err := p.fill(ctx, followedCollection, updateDocuments); err != nil || spec == nil {
					return err
				}
				return p.client.Database(databaseName).RunCommand(ctx, bson.D{
					{Key: "collMod", Value: followedCollection}, {Key: "changeStreamPreAndPostImages", Value: bson.D{{Key: "enabled", Value: spec[0].Value == "required"}}},
				}).Err()
			},
			measure: load.measure,
		}
	}
	return []workload{
		by("inc-stream", "", nil),
		by("inc-lookup", " with updateLookup", bson.D{{Key: "fullDocument", Value: "updateLookup"}}),
		by("inc-preimage", " with pre-images required", bson.D{{Key: "fullDocumentBeforeChange", Value: "required"}}),
	}
}

// liveStream is one stream's reader and what it saw.
type liveStream struct {
	*bareStream
	every     int // one of so many events has its latency noted, to keep the client's cost low
	delivered int64
	last      time.Time // of the latest delivery
	latencies []time.Duration
}

// follow reads until it has delivered as many events as were written, a number that is negative while writers write.
func (s *liveStream) follow(written *atomic.Int64) error {
	for {
		if total := written.Load(); total >= 0 && s.delivered >= total {
			if s.delivered > total {
				return fmt.Errorf("a stream delivered %d events of %d writes", s.delivered, total)
			}
			return nil
		}
		batch, err := s.read()
		if err != nil {
			return err
		}
		now := time.Now()
		eachDocument(batch, func(event bson.Raw) {
			s.delivered++
			s.last = now
			if s.delivered%int64(s.every) != 0 {
				return
			}
			if doc, ok := event.Lookup("fullDocument").DocumentOK(); ok {
				s.latencies = append(s.latencies, now.Sub(sentTime(doc)))
			}
		})
	}
}

// measure has writers write flat out while streams follow, and waits until every stream has delivered every write. Deliveries
// a second count that wait too: a server that lets its streams fall behind gains nothing.
func (l liveLoad) measure(ctx context.Context, p *peer, r round) (s sample, err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	steps, end, err := p.workers(ctx, liveWriters, r.seed, l.write(p))
	if err != nil {
		return nil, err
	}
	defer end()
	if _, err := steps[0](); err != nil { // the collection exists before the streams do
		return nil, err
	}
	var streams []*liveStream
	var readers sync.WaitGroup
	defer func() {
		readers.Wait()
		for _, s := range streams {
			s.kill()
		}
	}()
	var written atomic.Int64
	written.Store(-1)
	for range l.streams {
		bare, err := openStream(ctx, p, l.collection, l.spec)
		if err != nil {
			return nil, err
		}
		streams = append(streams, &liveStream{bareStream: bare, every: max(1, l.streams/8)})
	}
	begin := time.Now()
	cpuBefore, known := p.cpu()
	for _, s := range streams {
		readers.Go(func() {
			if err := s.follow(&written); err != nil {
				fail(err)
			}
		})
	}
	total, err := writeFor(ctx, steps, r.duration)
	writing := time.Since(begin)
	if err != nil {
		fail(err)
		return nil, err
	}
	written.Store(total)
	overdue := time.AfterFunc(drainTimeout, func() { fail(errors.New("streams did not deliver everything in time")) })
	defer overdue.Stop()
	readers.Wait()
	cpuAfter, knownAfter := p.cpu()
	resident := p.residentMB()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	m := measurement{units: int(total) * l.streams, elapsed: writing, serverCPU: cpuAfter - cpuBefore, cpuKnown: known && knownAfter}
	for _, s := range streams {
		m.elapsed = max(m.elapsed, s.last.Sub(begin)) // not the wait for more, after the last
		m.latencies = append(m.latencies, s.latencies...)
	}
	s = m.sample()
	s["deliveries"] = s["rate"]
	s["rate"] = float64(total) / writing.Seconds()
	s["memory"] = float64(resident)
	return s, nil
}

// writeFor has writers write flat out for d, and returns how many writes were acknowledged: all that were sent.
func writeFor(ctx context.Context, writers []step, d time.Duration) (int64, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	end := time.Now().Add(d)
	var total atomic.Int64
	var group sync.WaitGroup
	for _, write := range writers {
		group.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				n, err := write()
				if err != nil {
					fail(err)
					return
				}
				total.Add(int64(n))
			}
		})
	}
	group.Wait()
	return total.Load(), context.Cause(ctx)
}
