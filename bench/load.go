package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// warmUp precedes every measurement: connections are made, caches filled, and none of it counts.
const warmUp = 300 * time.Millisecond

// worker is one of several that do the same at once, each after its own last answer.
type worker struct {
	number int
	random *rand.Rand
}

func newWorker(seed uint64, number int) *worker {
	return &worker{number: number, random: rand.New(rand.NewPCG(seed, uint64(number)))}
}

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

// run has workers repeat op for warmUp and then for d, which alone is measured. op returns how many units it did. The first error ends all.
func (p *peer) run(ctx context.Context, workers int, d time.Duration, seed uint64, op func(context.Context, *worker) (int, error)) (measurement, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	begin := time.Now().Add(warmUp)
	end := begin.Add(d)
	parts := make([]measurement, workers)
	var group sync.WaitGroup
	for i := range workers {
		w := newWorker(seed, i)
		part := &parts[i]
		group.Go(func() {
			for before := time.Now(); before.Before(end); {
				n, err := op(ctx, w)
				if err != nil {
					fail(err)
					return
				}
				after := time.Now()
				if !before.Before(begin) && after.Before(end) {
					part.units += n
					part.latencies = append(part.latencies, after.Sub(before))
				}
				before = after
			}
		})
	}
	total := measurement{elapsed: d}
	cpuBefore, known := p.cpuAt(ctx, begin)
	cpuAfter, knownAfter := p.cpuAt(ctx, end)
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
