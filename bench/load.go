package main

import (
	"context"
	crand "crypto/rand"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// warmUp precedes every measurement: connections are made, caches filled, and none of it counts.
const warmUp = 300 * time.Millisecond

// worker is one of several that do the same at once, each after its own last answer, on a connection and with a session of its own.
type worker struct {
	*connection
	number  int
	random  *rand.Rand
	session bson.E // the field of commands that names the session
	written int64  // the number of the session's latest retryable write or transaction
}

func (p *peer) newWorker(ctx context.Context, seed uint64, number int) (*worker, error) {
	c, err := dial(ctx, p.dialer, p.address)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	_, _ = crand.Read(id) // never fails
	session := bson.E{Key: "lsid", Value: bson.D{{Key: "id", Value: bson.Binary{Subtype: bson.TypeBinaryUUID, Data: id}}}}
	return &worker{connection: c, number: number, random: rand.New(rand.NewPCG(seed, uint64(number))), session: session}, nil
}

// step is what a worker repeats. It returns how many units it did.
type step func() (int, error)

// task makes a worker's step: its messages are made once.
type task func(w *worker) (step, error)

// measurement is what a load did in a span of time.
type measurement struct {
	units     int // documents or operations
	latencies []time.Duration
	elapsed   time.Duration
	serverCPU time.Duration
	cpuKnown  bool
}

// sample turns a measurement into metrics.
func (m measurement) sample() sample {
	ms := milliseconds(m.latencies)
	s := sample{"rate": float64(m.units) / m.elapsed.Seconds(), "p50": quantile(ms, 0.5), "p99": quantile(ms, 0.99)}
	if m.cpuKnown && m.units > 0 {
		s["cpu"] = float64(m.serverCPU.Microseconds()) / float64(m.units)
	}
	return s
}

// run has workers repeat a task for warmUp and then for d, which alone is measured. The first error ends all.
func (p *peer) run(ctx context.Context, workers int, d time.Duration, seed uint64, t task) (measurement, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	steps, end, err := p.workers(ctx, workers, seed, t)
	if err != nil {
		return measurement{}, err
	}
	defer end()
	begin := time.Now().Add(warmUp)
	stop := begin.Add(d)
	parts := make([]measurement, workers)
	var group sync.WaitGroup
	for i, step := range steps {
		part := &parts[i]
		group.Go(func() {
			for before := time.Now(); before.Before(stop) && ctx.Err() == nil; {
				n, err := step()
				if err != nil {
					fail(err)
					return
				}
				after := time.Now()
				if !before.Before(begin) && after.Before(stop) {
					part.units += n
					part.latencies = append(part.latencies, after.Sub(before))
				}
				before = after
			}
		})
	}
	total := measurement{elapsed: d}
	cpuBefore, known := p.cpuAt(ctx, begin)
	cpuAfter, knownAfter := p.cpuAt(ctx, stop)
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return total, err
	}
	total.serverCPU, total.cpuKnown = cpuAfter-cpuBefore, known && knownAfter
	for _, part := range parts {
		total.units += part.units
		total.latencies = append(total.latencies, part.latencies...)
	}
	if total.units == 0 {
		return total, errors.New("nothing was answered in the time measured")
	}
	return total, nil
}

// workers makes workers and their steps. end closes their connections.
func (p *peer) workers(ctx context.Context, count int, seed uint64, t task) (steps []step, end func(), err error) {
	var made []*worker
	end = func() {
		for _, w := range made {
			w.close()
		}
	}
	for i := range count {
		w, err := p.newWorker(ctx, seed, i)
		if err != nil {
			end()
			return nil, nil, err
		}
		made = append(made, w)
		s, err := t(w)
		if err != nil {
			end()
			return nil, nil, err
		}
		steps = append(steps, s)
	}
	return steps, end, nil
}

// cpuAt reads the server's CPU time at a time to come.
func (p *peer) cpuAt(ctx context.Context, at time.Time) (time.Duration, bool) {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return p.cpu()
	case <-ctx.Done():
		return 0, false
	}
}
