package differential

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// serial numbers the scenarios of this process, and started tells apart processes that share a server.
var (
	serial  atomic.Int64
	started = time.Now().UnixMilli()
)

// difference is a step whose outcomes are not equal.
type difference struct {
	step     int
	outcomes [2]string
}

// compare runs a scenario on both servers at once and returns the steps that differ.
func compare(ctx context.Context, on servers, s scenario) ([]difference, error) {
	database := newDatabase()
	var outcomes [2][]string
	var failures [2]error
	var running sync.WaitGroup
	for i := range on {
		running.Go(func() { outcomes[i], failures[i] = perform(ctx, on[i], database, s) })
	}
	running.Wait()
	if err := errors.Join(failures[:]...); err != nil {
		return nil, err
	}
	return differ(outcomes), nil
}

// newDatabase names a database that nobody has.
func newDatabase() string {
	return fmt.Sprintf("differential_%d_%d_%d", started, os.Getpid(), serial.Add(1))
}

// differ returns the steps whose outcomes differ.
func differ(outcomes [2][]string) (differences []difference) {
	for i, first := range outcomes[0] {
		if second := outcomes[1][i]; first != second {
			differences = append(differences, difference{i, [2]string{first, second}})
		}
	}
	return differences
}

// describe renders a difference for people: the step and both outcomes, from shortly before they part if they are long.
func (d difference) describe(s scenario) string {
	a, b := d.outcomes[0], d.outcomes[1]
	const enough = 600
	if len(a)+len(b) > enough {
		same := 0
		for same < min(len(a), len(b)) && a[same] == b[same] {
			same++
		}
		from := max(0, same-120)
		a, b = excerpt(a, from, enough), excerpt(b, from, enough)
	}
	return fmt.Sprintf("%s\n  engine: %s\n  mongod: %s", s.steps[d.step].text(), a, b)
}

func excerpt(text string, from, length int) string {
	out := text[from:min(len(text), from+length)]
	if from > 0 {
		out = "..." + out
	}
	if from+length < len(text) {
		out += "..."
	}
	return strings.ToValidUTF8(out, "?")
}

// allowed is a line of testdata/differences.
type allowed struct {
	name   string // of a scenario, or "random"
	detail string // a number: the line of the step; or the codes of the engine and of mongod
	reason string
	used   atomic.Bool
}

// readAllowed reads "NAME | DETAIL | REASON" lines.
func readAllowed(file string) ([]*allowed, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []*allowed
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, " | ", 3)
		if len(parts) != 3 || strings.TrimSpace(parts[2]) == "" {
			return nil, fmt.Errorf("%s: line %d: NAME | DETAIL | REASON is expected", file, i+1)
		}
		list = append(list, &allowed{name: parts[0], detail: parts[1], reason: parts[2]})
	}
	return list, nil
}

const differencesFile = "testdata/differences"

func TestScenarios(t *testing.T) {
	t.Parallel()
	on := both(t)
	scenarios, err := readScenarios("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	right, err := readAllowed(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range scenarios {
		if names[s.name] {
			t.Errorf("there are two scenarios %s", s.name)
		}
		names[s.name] = true
	}
	for _, a := range right {
		if !names[a.name] && a.name != anyHistory {
			t.Errorf("%s lists a scenario %s, which there is not", differencesFile, a.name)
		}
	}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			differences, err := compare(t.Context(), on, s)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences {
				text := s.steps[d.step].text()
				at := slices.IndexFunc(right, func(a *allowed) bool { return a.name == s.name && strings.Contains(text, a.detail) })
				if at < 0 {
					t.Errorf("line %d: %s", s.steps[d.step].line, d.describe(s))
					continue
				}
				right[at].used.Store(true)
			}
			for _, a := range right {
				if a.name == s.name && !a.used.Load() {
					t.Errorf("%s lists a difference of the step with %s, which did not occur: take it out", differencesFile, a.detail)
				}
			}
		})
	}
}
