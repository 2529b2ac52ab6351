package crash

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

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

func TestContentIsChecked(t *testing.T) {
	t.Parallel()
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
