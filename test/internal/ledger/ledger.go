// Package ledger compares what change streams delivered with what is known to have been written.
package ledger

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Change is one write as a change stream shows it. ID is "<writer>/<anything>": what a writer did must come in its order.
// N is a number that an insert or a replacement brought, or that an update set.
type Change struct {
	Op, ID string
	N      int64
}

// Observed is an event that a stream delivered. Its token is the server's, in the form in which tokens can be compared.
type Observed struct {
	Change
	Token string
}

// Writer returns the writer that an id names.
func Writer(id string) string {
	writer, _, _ := strings.Cut(id, "/")
	return writer
}

// Check compares what a stream delivered with what each writer did, and names the first difference of each. writer says
// whose an id is.
func Check(events []Observed, done map[string][]Change, writer func(id string) string) []string {
	var problems []string
	got := map[string][]Change{}
	for i, event := range events {
		if i > 0 && event.Token <= events[i-1].Token {
			problems = append(problems, fmt.Sprintf("event %d: token %s does not follow %s", i, event.Token, events[i-1].Token))
		}
		name := writer(event.ID)
		got[name] = append(got[name], event.Change)
	}
	for name, list := range got {
		if _, known := done[name]; !known {
			problems = append(problems, fmt.Sprintf("writer %s: %d events of a writer that there is not, the first %v", name, len(list), list[0]))
		}
	}
	for name, want := range done {
		if at, differ := firstDifference(got[name], want); differ {
			problems = append(problems, fmt.Sprintf("writer %s: %s", name, describe(got[name], want, at)))
		}
	}
	slices.Sort(problems)
	return problems
}

// Same compares two streams of the same things, and names the first difference.
func Same(got, want []Observed) error {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Errorf("%d events, the other stream has %d; they differ at event %d", len(got), len(want), i)
		}
	}
	return nil
}

func firstDifference(got, want []Change) (int, bool) {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return i, true
		}
	}
	return 0, false
}

// describe says what is wrong at the first difference, in a reader's terms.
func describe(got, want []Change, at int) string {
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

// Read understands one event, and refuses one that has no id, no token, or no number in the field n or v of what it brings.
func Read(event bson.Raw) (Observed, error) {
	seen := Observed{}
	seen.Op, _ = event.Lookup("operationType").StringValueOK()
	seen.ID, _ = event.Lookup("documentKey", "_id").StringValueOK()
	seen.Token, _ = event.Lookup("_id", "_data").StringValueOK()
	if seen.ID == "" || seen.Token == "" {
		return seen, fmt.Errorf("an event without id or token: %s", event)
	}
	var brought bson.RawValue
	switch seen.Op {
	case "insert", "replace":
		brought = event.Lookup("fullDocument")
	case "update":
		brought = event.Lookup("updateDescription", "updatedFields")
	case "delete":
		return seen, nil
	}
	fields, _ := brought.DocumentOK()
	n, ok := fields.Lookup("n").AsInt64OK()
	if !ok {
		n, ok = fields.Lookup("v").AsInt64OK()
	}
	if !ok {
		return seen, fmt.Errorf("an event that brings no number: %s", event)
	}
	seen.N = n
	return seen, nil
}
