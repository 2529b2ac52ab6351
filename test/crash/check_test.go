package crash

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// checkStream compares what a stream delivered with what each writer did, and names the first difference of each.
func checkStream(events []observed, done map[string][]change) []string {
	var problems []string
	got := map[string][]change{}
	for i, event := range events {
		if i > 0 && event.token <= events[i-1].token {
			problems = append(problems, fmt.Sprintf("event %d: token %s does not follow %s", i, event.token, events[i-1].token))
		}
		writer, _, _ := strings.Cut(event.id, "/")
		got[writer] = append(got[writer], event.change)
	}
	for writer, list := range got {
		if _, known := done[writer]; !known {
			problems = append(problems, fmt.Sprintf("writer %s: %d events of a writer that there is not, the first %v", writer, len(list), list[0]))
		}
	}
	for writer, want := range done {
		if at, differ := firstDifference(got[writer], want); differ {
			problems = append(problems, fmt.Sprintf("writer %s: %s", writer, describe(got[writer], want, at)))
		}
	}
	slices.Sort(problems)
	return problems
}

func firstDifference(got, want []change) (int, bool) {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return i, true
		}
	}
	return 0, false
}

// describe says what is wrong at the first difference, in a reader's terms.
func describe(got, want []change, at int) string {
	counts := fmt.Sprintf("(%d events of %d writes)", len(got), len(want))
	switch {
	case at >= len(got):
		return fmt.Sprintf("event %d is missing: %v and what follows %s", at, want[at], counts)
	case slices.Contains(got[:at], got[at]) && (at >= len(want) || !slices.Contains(want[at:], got[at])):
		return fmt.Sprintf("event %d is a repeat: %v %s", at, got[at], counts)
	case at >= len(want) || !slices.Contains(want[at:], got[at]):
		return fmt.Sprintf("event %d is of no write: %v %s", at, got[at], counts)
	default:
		return fmt.Sprintf("event %d is %v in place of %v: a gap or another order %s", at, got[at], want[at], counts)
	}
}

// checkContent compares the documents that the server holds with those that it acknowledged.
func checkContent(got, want map[string]int64) []string {
	var problems []string
	for id, n := range want {
		if found, ok := got[id]; !ok {
			problems = append(problems, fmt.Sprintf("document %s is lost", id))
		} else if found != n {
			problems = append(problems, fmt.Sprintf("document %s holds %d, acknowledged %d", id, found, n))
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			problems = append(problems, fmt.Sprintf("document %s is there and should not be", id))
		}
	}
	slices.Sort(problems)
	return problems
}

func TestChecksFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	a, b, c := change{"insert", "w0/1", 1}, change{"update", "w0/update0", 2}, change{op: "delete", id: "w0/1"}
	done := map[string][]change{"w0": {a, b, c}}
	stream := func(list ...change) (events []observed) {
		for i, one := range list {
			events = append(events, observed{one, fmt.Sprintf("%02d", i)})
		}
		return events
	}
	twice := stream(a, b, c)
	twice[2].token = twice[1].token
	streams := []struct {
		name   string
		events []observed
		want   string
	}{
		{"right", stream(a, b, c), ""},
		{"lost at the end", stream(a, b), "event 2 is missing"},
		{"gap", stream(a, c), "a gap or another order"},
		{"order", stream(a, c, b), "a gap or another order"},
		{"repeat", stream(a, b, b, c), "event 2 is a repeat"},
		{"repeat at the end", stream(a, b, c, c), "event 3 is a repeat"},
		{"invented", stream(a, change{"update", "w0/update0", 3}, b, c), "event 1 is of no write"},
		{"invented writer", append(stream(a, b, c), observed{change{"insert", "w9/1", 1}, "99"}), "writer that there is not"},
		{"token", twice, "does not follow"},
	}
	for _, s := range streams {
		if got := strings.Join(checkStream(s.events, done), "\n"); (got == "") != (s.want == "") || !strings.Contains(got, s.want) {
			t.Errorf("stream, %s: got %q, want %q", s.name, got, s.want)
		}
	}
	want := map[string]int64{"x": 1, "y": 2}
	contents := []struct {
		got  map[string]int64
		want string
	}{
		{map[string]int64{"x": 1, "y": 2}, ""},
		{map[string]int64{"x": 1}, "document y is lost"},
		{map[string]int64{"x": 1, "y": 3}, "document y holds 3, acknowledged 2"},
		{map[string]int64{"x": 1, "y": 2, "z": 0}, "document z is there and should not be"},
	}
	for _, s := range contents {
		if got := strings.Join(checkContent(s.got, want), "\n"); got != s.want {
			t.Errorf("content %v: got %q, want %q", s.got, got, s.want)
		}
	}
}
