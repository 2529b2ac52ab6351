package main

import (
	"context"
	"path"
	"slices"
	"time"
)

// sample is one round's metrics by name. What no row shows is in the JSON output only.
type sample map[string]float64

// round says how one sample is to be taken.
type round struct {
	duration time.Duration
	seed     uint64
}

// workload is something that all peers are asked to do, in turns.
type workload struct {
	name    string
	about   string
	prepare func(ctx context.Context, p *peer) error // once a peer, not measured; nil: nothing
	measure func(ctx context.Context, p *peer, r round) (sample, error)
	clean   []string // collections to drop at the end
	fresh   bool     // on servers of its own, so that their memory is what it takes
	rows    []row
}

// row is one line of the table.
type row struct {
	metric string
	unit   string
	better direction
	goal   goal
}

// goal is what the first peer that is not the base should reach; the zero value asks for nothing.
type goal struct {
	advantage float64 // times better than the base
	limit     float64 // at least, or at most, by the row's direction; in the row's unit
}

// met tells whether a median and its advantage over the base are good enough.
func (g goal) met(r row, value, advantage float64) bool {
	if g.advantage != 0 && !(advantage >= g.advantage) {
		return false
	}
	return g.limit == 0 || r.better.advantage(value, g.limit) >= 1
}

func (g goal) stated() bool { return g != goal{} }

// workloads are the table's rows in its order. Adding one is adding it here.
func workloads() []workload {
	return slices.Concat(
		insertWorkloads(),
		findWorkloads(),
		updateWorkloads(),
		transactionWorkloads(),
		backlogWorkloads(),
		resumeWorkloads(),
		liveWorkloads(),
		followedWorkloads(),
		startWorkloads(),
	)
}

// matches reports whether a name matches one of the patterns.
func matches(patterns []string, name string) (bool, error) {
	for _, pattern := range patterns {
		if ok, err := path.Match(pattern, name); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// choose keeps the workloads whose names match one of the patterns, in the table's order, and reports patterns that match nothing.
func choose(all []workload, patterns []string) (chosen []workload, unused []string, err error) {
	used := map[string]bool{}
	for _, w := range all {
		keep := false
		for _, pattern := range patterns {
			ok, err := path.Match(pattern, w.name)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				used[pattern], keep = true, true
			}
		}
		if keep {
			chosen = append(chosen, w)
		}
	}
	for _, pattern := range patterns {
		if !used[pattern] {
			unused = append(unused, pattern)
		}
	}
	return chosen, unused, nil
}
