package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicestream/sluice"
)

// statisticsInterval is how often --stats tells, if there is anything new.
const statisticsInterval = 10 * time.Second

// statistics counts what a run has printed.
type statistics struct {
	notef  func(format string, args ...any)
	health func() sluice.Health

	mu     sync.Mutex
	kinds  map[sluice.OperationType]int
	events int
	bytes  int
	told   int // events, when the last line was written
	since  time.Time
}

func newStatistics(notef func(string, ...any), health func() sluice.Health) *statistics {
	return &statistics{notef: notef, health: health, kinds: map[sluice.OperationType]int{}, since: time.Now()}
}

func (s *statistics) count(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events++
	s.bytes += len(e.Raw())
	s.kinds[e.OperationType()]++
}

// run writes a line from time to time until ctx ends.
func (s *statistics) run(ctx context.Context) {
	tick := time.NewTicker(statisticsInterval)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.tell(now, false)
		case <-ctx.Done():
			return
		}
	}
}

// tell writes a line, if there is news or it is the last one.
func (s *statistics) tell(now time.Time, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events == s.told && !last {
		return
	}
	s.notef("%s", s.line(now, s.health()))
	s.told, s.since = s.events, now
}

func (s *statistics) line(now time.Time, h sluice.Health) string {
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(s.kinds)) {
		name := string(kind)
		if name == "" {
			name = "other"
		}
		kinds = append(kinds, fmt.Sprintf("%s %d", name, s.kinds[kind]))
	}
	line := fmt.Sprintf("%d events", s.events)
	if len(kinds) > 0 {
		line += " (" + strings.Join(kinds, ", ") + ")"
	}
	if seconds := now.Sub(s.since).Seconds(); seconds > 0 {
		line += fmt.Sprintf(", %.1f/s", float64(s.events-s.told)/seconds)
	}
	return line + fmt.Sprintf(", %.1f KB; lag %s, %d resumes, %d waiting", float64(s.bytes)/1000, h.Lag, h.Resumes, h.Buffered)
}
