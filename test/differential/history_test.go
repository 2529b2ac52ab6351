package differential

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	drawTime   = 3 * time.Second  // of histories, by default
	shrinkTime = 60 * time.Second // for the first failure of each worker
	workers    = 3
	operations = 24 // of a history
)

// TestHistories draws histories, runs each on both servers in lock step, and shrinks the ones that differ.
func TestHistories(t *testing.T) {
	t.Parallel()
	drawn(t, drawHistory)
}

// drawn runs the histories of one seed after the other, for as long as it is told.
func drawn(t *testing.T, draw func(seed uint64) scenario) {
	t.Helper()
	on := both(t)
	right, err := readAllowed(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	duration, first := drawTime, rand.Uint64()>>32
	if text := os.Getenv("SLUICE_DIFFERENTIAL_TIME"); text != "" {
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatalf("SLUICE_DIFFERENTIAL_TIME: %v", err)
		}
	}
	if text := os.Getenv("SLUICE_DIFFERENTIAL_SEED"); text != "" {
		if first, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SLUICE_DIFFERENTIAL_SEED: %v", err)
		}
	}
	var done, next, failed atomic.Uint64
	end := time.Now().Add(duration)
	seen := &classes{seen: map[string]bool{}}
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for time.Now().Before(end) && t.Context().Err() == nil {
				seed := first + next.Add(1) - 1
				if !check(t, on, right, seen, draw(seed)) {
					failed.Add(1)
				}
				done.Add(1)
			}
		})
	}
	working.Wait()
	t.Logf("%d histories from SLUICE_DIFFERENTIAL_SEED=%d, of which %d differed or could not be run", done.Load(), first, failed.Load())
	for _, why := range seen.list {
		t.Logf("in all: %s", why)
	}
}

// classes are the kinds of differences that were reported: one example of each is enough.
type classes struct {
	mu   sync.Mutex
	seen map[string]bool
	list []string // one of each, and all that could not be run, for the end of a long log
}

func (c *classes) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

func (c *classes) isNew(class string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.seen[class]
	c.seen[class] = true
	return !known
}

// check runs a history and reports its first difference that is not allowed, shrunk, once of each kind. ok is false where there is one.
func check(t *testing.T, on servers, right []*allowed, seen *classes, s scenario) (ok bool) {
	t.Helper()
	d, err := firstUnexplained(t.Context(), on, right, s)
	if err != nil {
		t.Errorf("%s: %v", s.name, err)
		seen.note("%s: %v", s.name, err)
		return false
	}
	if d == nil {
		return true
	}
	if !seen.isNew(d.class(s)) {
		return false
	}
	seen.note("%s: %s", s.name, d.class(s))
	small, smallest := shrink(t.Context(), s, d, func(ctx context.Context, candidate scenario) *difference {
		found, err := firstUnexplained(ctx, on, right, candidate)
		if err != nil {
			return nil // cut out what it needs
		}
		return found
	})
	t.Errorf("%s\n%s\nthey differ in: %s", smallest.class(small), small.text(), smallest.describe(small))
	return false
}

func firstUnexplained(ctx context.Context, on servers, right []*allowed, s scenario) (*difference, error) {
	differences, err := compare(ctx, on, s)
	if err != nil {
		return nil, err
	}
next:
	for _, d := range differences {
		for _, a := range right {
			if a.name != anyHistory || a.detail != d.class(s) {
				continue
			}
			if has(s.steps[d.step].command, "autocommit") {
				return nil, nil // of the transaction only one is left
			}
			continue next
		}
		if reordered(s, d) {
			continue
		}
		if explained, err := asWritten(ctx, on[1], s, d); err != nil {
			return nil, err
		} else if explained && (writes(s.steps[d.step]) || has(s.steps[d.step].command, "autocommit")) {
			return nil, nil // what comes after it follows from it
		} else if explained {
			continue
		}
		return &d, nil
	}
	return nil, nil
}

// drawHistory makes the history of a seed: streams, operations, what the streams gave, and what they give when they are resumed.
func drawHistory(seed uint64) scenario {
	g := &generator{random: rand.New(rand.NewPCG(seed, 0)), nextID: 1}
	g.indexed, g.capped, g.piping = g.chance(3), g.chance(4), g.chance(3)
	g.collating, g.validating, g.viewed = g.chance(3), g.chance(6), g.chance(4)
	s := scenario{name: fmt.Sprintf("history %d", seed)}
	add := func(verb string, command bson.D) { s.steps = append(s.steps, step{verb: verb, command: command}) }
	add("run", g.creation())
	if g.indexed {
		add("run", g.indexes())
	}
	if g.viewed {
		add("run", g.viewing())
	}
	options := g.oneOf(bson.D{}, bson.D{{Key: "fullDocument", Value: "updateLookup"}}).(bson.D)
	stages := g.oneOf(bson.A{}, bson.A{bson.D{{Key: "$match", Value: bson.D{{Key: "operationType", Value: bson.D{{Key: "$ne", Value: "replace"}}}}}}}).(bson.A)
	s.steps = append(s.steps,
		watchStep("s", collection, nil),
		watchStep("t", g.oneOf("database", collection).(string), []any{options, stages}))
	add("run", g.insert(4))
	add("run", g.others())
	for range operations {
		if g.chance(8) && !g.capped {
			s.steps = append(s.steps, g.transaction()...)
			continue
		}
		if g.chance(20) {
			add("run", g.change())
		}
		add("run", g.operation())
	}
	s.steps = append(s.steps, showAll())
	for _, name := range []string{"out", "merged"} {
		add("run", bson.D{{Key: "find", Value: name}, {Key: "sort", Value: doc("_id", 1)}})
	}
	if g.chance(4) {
		add("run", bson.D{{Key: "drop", Value: collection}})
	}
	for _, name := range []string{"s", "t"} {
		s.steps = append(s.steps, step{verb: "events", name: name})
	}
	if g.chance(4) { // histories of streams are about that
		s.steps = append(s.steps, step{verb: "resume", name: "s"}, step{verb: "resume", name: "t"})
	}
	return s
}
