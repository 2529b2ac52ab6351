package differential

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// cursorCollection is what a getMore on the step's stream names.
func (s step) cursorCollection() string {
	switch s.where {
	case "database", "cluster", otherDatabase:
		return "$cmd.aggregate"
	}
	return s.where
}

// resume opens as, which may be another stream, from each event and each position of s, in every way there is, and reads to the end.
func (r *runner) resume(ctx context.Context, s, as *stream) (string, error) {
	t := &told{runner: r, stream: s, as: as, known: map[string]int{}}
	if s == as { // else the same event may look different
		for _, event := range s.shown {
			t.known[string(event)] = len(t.known)
		}
	}
	t.next = len(t.known)
	for i, event := range s.shown {
		if err := t.event(ctx, i, event); err != nil {
			return "", err
		}
	}
	for i, m := range s.marks {
		if s != as {
			break // they may be tokens of events which the other stream does not have, or high-water marks
		}
		if err := t.position(ctx, "position "+strconv.Itoa(i), m); err != nil {
			return "", err
		}
	}
	return t.text.String(), nil
}

// unknown says that what follows cannot be told from what the stream gave.
const unknown = -1

// told is what came of a stream that was opened again and again. Events are numbered as they appear, and their text is there once.
type told struct {
	*runner
	stream, as *stream
	known      map[string]int // events, by their bytes
	next       int
	text       strings.Builder
	// Events until after are not told of: a position may be at the time of an event that the stream did not show, or behind it.
	after bson.Timestamp
}

func (t *told) event(ctx context.Context, i int, event bson.Raw) error {
	seconds, n, _ := event.Lookup("clusterTime").TimestampOK()
	at, id := bson.Timestamp{T: seconds, I: n}, event.Lookup("_id")
	same, name := t.as.step, " event "+strconv.Itoa(i)
	after := i + 1
	if kind, _ := event.Lookup("operationType").StringValueOK(); kind == "invalidate" {
		after = unknown // the stream that gave it ended
	}
	if seconds != 0 {
		from := i
		for ; from > 0 && !at.After(timeOfEvent(t.stream.shown[from-1])); from-- {
		}
		if err := t.from(ctx, "at the time of"+name, same.from(bson.E{Key: "startAtOperationTime", Value: at}), from); err != nil {
			return err
		}
	}
	for _, key := range []string{"resumeAfter", "startAfter"} {
		if err := t.from(ctx, key+name, same.from(bson.E{Key: key, Value: id}), after); err != nil {
			return err
		}
	}
	plain, differs := same.plain()
	if !differs {
		return nil
	}
	return t.from(ctx, "without the stages"+name, plain.from(bson.E{Key: "resumeAfter", Value: id}), unknown)
}

func (t *told) position(ctx context.Context, name string, m mark) error {
	for _, key := range []string{"resumeAfter", "startAfter"} {
		if err := t.from(ctx, key+" of "+name, t.as.step.from(bson.E{Key: key, Value: m.position}), m.after); err != nil {
			return err
		}
	}
	plain, differs := t.as.step.plain()
	if !differs || strings.Contains(plain.text(), `"required"`) { // the images of an event that is not told of may be missing
		return nil
	}
	t.after = m.now
	defer func() { t.after = bson.Timestamp{} }()
	return t.from(ctx, name+" without the stages", plain.from(bson.E{Key: "startAfter", Value: m.position}), unknown)
}

func timeOfEvent(event bson.Raw) bson.Timestamp {
	seconds, n, _ := event.Lookup("clusterTime").TimestampOK()
	return bson.Timestamp{T: seconds, I: n}
}

// from opens a stream and tells what it gave. What begins like what the stream gave must go on like it, whatever the other server says.
func (t *told) from(ctx context.Context, name string, s step, after int) error {
	again, err := t.open(ctx, s)
	if err != nil {
		return err
	}
	if err := t.read(ctx, again); err != nil {
		return err
	}
	t.text.WriteString("\n    " + name + ": " + again.state() + t.numbers(again.batch) + again.broken)
	if t.stream == t.as && after != unknown && again.failed == "" {
		t.text.WriteString(gap(again.batch, t.stream.shown[after:]))
	}
	return t.kill(ctx, again)
}

// numbers lists events by their numbers, and by their text those that were not there before.
func (t *told) numbers(events []bson.Raw) string {
	var b strings.Builder
	first, last, token := unknown, unknown, ""
	flush := func() {
		switch {
		case first == unknown:
		case first == last:
			fmt.Fprintf(&b, " %d", first)
		default:
			fmt.Fprintf(&b, " %d-%d", first, last)
		}
		first, last = unknown, unknown
	}
	for _, event := range events {
		if !t.after.IsZero() && !timeOfEvent(event).After(t.after) {
			continue
		}
		if data := tokenData(event.Lookup("_id")); data != "" {
			if data <= token {
				b.WriteString(" [a token that does not follow the one before]")
			}
			token = data
		}
		n, isKnown := t.known[string(event)]
		if !isKnown {
			flush()
			n = t.next
			t.next++
			t.known[string(event)] = n
			fmt.Fprintf(&b, "\n      %d is %s\n      ", n, strings.TrimSpace(t.normal.events([]bson.Raw{event})))
			continue
		}
		if n != last+1 || first == unknown {
			flush()
			first = n
		}
		last = n
	}
	flush()
	return b.String()
}

// gap says where events are not those that were expected, by their tokens. There may be more.
func gap(events, want []bson.Raw) string {
	for i, event := range want {
		switch {
		case i >= len(events):
			return " [events are missing]"
		case tokenData(events[i].Lookup("_id")) != tokenData(event.Lookup("_id")):
			return fmt.Sprintf(" [number %d is another event than before]", i)
		}
	}
	return ""
}

// pipeline is the stages of a watch, and the options in the first.
func (s step) pipeline() (options bson.D, stages bson.A) {
	all, _ := s.command[1].Value.(bson.A)
	stage, _ := all[0].(bson.D)
	options, _ = stage[0].Value.(bson.D)
	return options, all[1:]
}

func (s step) withPipeline(options bson.D, stages bson.A) step {
	all := append(bson.A{bson.D{{Key: "$changeStream", Value: options}}}, stages...)
	s.command = append(bson.D{s.command[0], {Key: "pipeline", Value: all}}, s.command[2:]...)
	return s
}

// from is a step that opens the stream elsewhere.
func (s step) from(way bson.E) step {
	options, stages := s.pipeline()
	moved := bson.D{way}
	for _, e := range options {
		if e.Key != "resumeAfter" && e.Key != "startAfter" && e.Key != "startAtOperationTime" {
			moved = append(moved, e)
		}
	}
	return s.withPipeline(moved, stages)
}

// plain is the step without stages, if it has some. A cluster's stream keeps the first, which leaves it what is its own.
func (s step) plain() (plain step, differs bool) {
	options, stages := s.pipeline()
	keep := 0
	if s.where == "cluster" {
		keep = min(len(stages), 1)
	}
	return s.withPipeline(options, stages[:keep]), len(stages) > keep
}
