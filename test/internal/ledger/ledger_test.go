package ledger

import (
	"fmt"
	"strings"
	"testing"
)

func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	a, b, c := Change{"insert", "w0/1", 1}, Change{"update", "w0/update0", 2}, Change{Op: "delete", ID: "w0/1"}
	done := map[string][]Change{"w0": {a, b, c}}
	stream := func(list ...Change) (events []Observed) {
		for i, one := range list {
			events = append(events, Observed{one, fmt.Sprintf("%02d", i)})
		}
		return events
	}
	twice := stream(a, b, c)
	twice[2].Token = twice[1].Token
	for _, s := range []struct {
		name   string
		events []Observed
		want   string
	}{
		{"right", stream(a, b, c), ""},
		{"lost at the end", stream(a, b), "event 2 is missing"},
		{"gap", stream(a, c), "a gap or another order"},
		{"order", stream(a, c, b), "a gap or another order"},
		{"repeat", stream(a, b, b, c), "event 2 is a repeat"},
		{"repeat at the end", stream(a, b, c, c), "event 3 is a repeat"},
		{"invented", stream(a, Change{"update", "w0/update0", 3}, b, c), "event 1 is of no write"},
		{"invented writer", append(stream(a, b, c), Observed{Change{"insert", "w9/1", 1}, "99"}), "writer that there is not"},
		{"token", twice, "does not follow"},
	} {
		if got := strings.Join(Check(s.events, done, Writer), "\n"); (got == "") != (s.want == "") || !strings.Contains(got, s.want) {
			t.Errorf("%s: got %q, want %q", s.name, got, s.want)
		}
		if err := Same(s.events, stream(a, b, c)); (err == nil) != (s.want == "") {
			t.Errorf("%s, compared with another stream: %v", s.name, err)
		}
	}
}
