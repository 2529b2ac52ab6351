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
	backlogCollection = "backlog"
	backlogEvents     = 100_000
	liveCollection    = "live"
	liveWriters       = 8
	// drainTimeout bounds how long streams may take to deliver what was written before the writers stopped.
	drainTimeout = 60 * time.Second
)

func backlogWorkload() workload {
	starts := map[*peer]bson.Timestamp{} // before the backlog
	return workload{
		name: "backlog", about: fmt.Sprintf("one stream reads a backlog of %d inserts, bare getMore", backlogEvents), clean: []string{backlogCollection},
		rows: []row{{"rate", "events/s", higher, goal{advantage: 8}}, {"cpu", "us server CPU/event", lower, goal{limit: 1.7}}},
		prepare: func(ctx context.Context, p *peer) error {
			if err := p.collection(backlogCollection).Drop(ctx); err != nil {
				return err
			}
			var reply struct {
				OperationTime bson.Timestamp `bson:"operationTime"`
			}
			if err := p.client.Database("admin").RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Decode(&reply); err != nil {
				return err
			}
			starts[p] = reply.OperationTime
			return p.fill(ctx, backlogCollection, backlogEvents)
		},
		measure: func(ctx context.Context, p *peer, r round) (sample, error) {
			m := measurement{}
			begin := time.Now()
			cpuBefore, known := p.cpu()
			for m.elapsed < r.duration {
				n, err := readBacklog(ctx, p, bson.D{{Key: "startAtOperationTime", Value: starts[p]}})
				if err != nil {
					return nil, err
				}
				m.units += n
				m.elapsed = time.Since(begin)
			}
			cpuAfter, knownAfter := p.cpu()
			m.serverCPU, m.cpuKnown = cpuAfter-cpuBefore, known && knownAfter
			return m.sample(), nil
		},
	}
}

// readBacklog opens a stream and reads the whole backlog.
func readBacklog(ctx context.Context, p *peer, start bson.D) (int, error) {
	s, err := openStream(ctx, p, backlogCollection, start)
	if err != nil {
		return 0, err
	}
	defer s.close(ctx)
	count := 0
	for count < backlogEvents {
		batch, err := s.read(ctx)
		if err != nil {
			return 0, err
		}
		n := eachDocument(batch, nil)
		if n == 0 {
			return 0, fmt.Errorf("the backlog ended after %d of %d events", count, backlogEvents)
		}
		count += n
	}
	if count != backlogEvents {
		return 0, fmt.Errorf("the backlog held %d events, %d were written", count, backlogEvents)
	}
	return count, nil
}

func liveWorkloads() []workload {
	live := func(streams int, rows ...row) workload {
		return workload{
			name: fmt.Sprintf("live-%d", streams), about: fmt.Sprintf("%d inserting flat out, %d live streams", liveWriters, streams), clean: []string{liveCollection}, rows: rows,
			measure: func(ctx context.Context, p *peer, r round) (sample, error) { return measureLive(ctx, p, r, streams) },
		}
	}
	one := live(1, row{"kept", "of the writes without a stream", higher, goal{limit: 0.95}}, row{"rate", "writes/s", higher, goal{}},
		row{"p50", "ms from write to delivery", lower, goal{limit: 1}}, row{"p99", "ms from write to delivery", lower, goal{}})
	one.measure = func(ctx context.Context, p *peer, r round) (sample, error) {
		alone, err := p.run(ctx, liveWriters, r.duration, r.seed, func(ctx context.Context, _ *worker) (int, error) { return 1, p.insertOne(ctx, liveCollection) })
		if err != nil {
			return nil, err
		}
		s, err := measureLive(ctx, p, r, 1)
		if err != nil {
			return nil, err
		}
		s["kept"] = s["rate"] / alone.sample()["rate"]
		return s, nil
	}
	many := func(streams int, deliveries, p50 float64) workload {
		return live(streams, row{"deliveries", "deliveries/s", higher, goal{advantage: deliveries}}, row{"rate", "writes/s", higher, goal{}},
			row{"p50", "ms from write to delivery", lower, goal{advantage: p50}}, row{"p99", "ms from write to delivery", lower, goal{}}, row{"cpu", "us server CPU/delivery", lower, goal{}})
	}
	return []workload{one, many(10, 8, 0), many(100, 15, 10)}
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
func (s *liveStream) follow(ctx context.Context, written *atomic.Int64) error {
	for {
		if total := written.Load(); total >= 0 && s.delivered >= total {
			if s.delivered > total {
				return fmt.Errorf("a stream delivered %d events of %d writes", s.delivered, total)
			}
			return nil
		}
		batch, err := s.read(ctx)
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

// measureLive has writers insert flat out while streams follow, and waits until every stream has delivered every write. Deliveries
// a second count that wait too: a server that lets its streams fall behind gains nothing.
func measureLive(ctx context.Context, p *peer, r round, count int) (s sample, err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if err := p.insertOne(ctx, liveCollection); err != nil { // the collection exists before the streams do
		return nil, err
	}
	var streams []*liveStream
	var readers sync.WaitGroup
	defer func() {
		readers.Wait()
		for _, s := range streams {
			s.close(context.WithoutCancel(ctx))
		}
	}()
	var written atomic.Int64
	written.Store(-1)
	for range count {
		bare, err := openStream(ctx, p, liveCollection, nil)
		if err != nil {
			return nil, err
		}
		streams = append(streams, &liveStream{bareStream: bare, every: max(1, count/8)})
	}
	begin := time.Now()
	cpuBefore, known := p.cpu()
	for _, s := range streams {
		readers.Go(func() {
			if err := s.follow(ctx, &written); err != nil {
				fail(err)
			}
		})
	}
	total, err := p.writeFor(ctx, r.duration)
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
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	m := measurement{units: int(total) * count, elapsed: writing, serverCPU: cpuAfter - cpuBefore, cpuKnown: known && knownAfter}
	for _, s := range streams {
		m.elapsed = max(m.elapsed, s.last.Sub(begin)) // not the wait for more, after the last
		m.latencies = append(m.latencies, s.latencies...)
	}
	s = m.sample()
	s["deliveries"] = s["rate"]
	s["rate"] = float64(total) / writing.Seconds()
	return s, nil
}

// writeFor inserts flat out for d, and returns how many documents were acknowledged: all that were sent.
func (p *peer) writeFor(ctx context.Context, d time.Duration) (int64, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	end := time.Now().Add(d)
	var total atomic.Int64
	var group sync.WaitGroup
	for range liveWriters {
		group.Go(func() {
			for time.Now().Before(end) {
				if err := p.insertOne(ctx, liveCollection); err != nil {
					fail(err)
					return
				}
				total.Add(1)
			}
		})
	}
	group.Wait()
	return total.Load(), context.Cause(ctx)
}
