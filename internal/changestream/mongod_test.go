package changestream_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/golden"
	"github.com/sluicestream/sluice/internal/oplog"
)

// with adds a field to a stage.
func with(stage bsonraw.Doc, field string, v bsonraw.Value) bsonraw.Doc {
	dst := append([]byte(nil), stage[:len(stage)-1]...)
	return bsonraw.EndDoc(bsonraw.AppendValue(dst, field, v), 0)
}

// withoutVersion leaves out what differs between the versions: tokens, and disambiguatedPaths, which the captured server lacks.
func withoutVersion(event bsonraw.Doc) bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(nil)
	for it := event.Iter(); it.Next(); {
		switch string(it.Key()) {
		case "_id":
		case "updateDescription":
			var sub int
			dst, sub = bsonraw.BeginElem(dst, bsonraw.TypeDocument, "updateDescription")
			for part := it.Value().Doc().Iter(); part.Next(); {
				if string(part.Key()) != "disambiguatedPaths" {
					dst = append(dst, part.Elem()...)
				}
			}
			dst = bsonraw.EndDoc(dst, sub)
		default:
			dst = append(dst, it.Elem()...)
		}
	}
	return bsonraw.EndDoc(dst, at)
}

func (c *captured) lookup() changestream.Lookup { return imaged{c.history} }

// What MongoDB 6.0.5 made of its own oplog is what the streams make of it, but for the tokens.
func TestEventsAreThoseOfMongoDB(t *testing.T) {
	t.Parallel()
	c := readCaptured(t)
	for _, batch := range []int{0, 1, 2, 7} {
		for i, want := range c.streams {
			t.Run(fmt.Sprintf("batch %d, stream %d %s", batch, i, want.target.Namespace()), func(t *testing.T) {
				t.Parallel()
				s := open(t, c.history, want.target, with(want.stage, "startAtOperationTime", bsonraw.TimestampValue(uint64(c.start))))
				var got []bsonraw.Doc
				for {
					docs := fill(t, s, c.history, c.lookup(), batch)
					got = append(got, docs...)
					if len(docs) == 0 || s.Done() {
						break
					}
				}
				compareEvents(t, got, want.events)
				if s.Done() != want.closed {
					t.Errorf("ended: %v, want %v", s.Done(), want.closed)
				}
			})
		}
	}
}

func compareEvents(t *testing.T, got, want []bsonraw.Doc) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if g, w := withoutVersion(got[i]), withoutVersion(want[i]); !bytes.Equal(g, w) {
			t.Fatalf("event %d\n got %s\nwant %s", i, text(g), text(w))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
}

// A stream goes on after each event that MongoDB gave, by the token that MongoDB gave with it: these are tokens of version 1.
func TestResumeFromTokensOfMongoDB(t *testing.T) {
	t.Parallel()
	c := readCaptured(t)
	lookup := c.lookup()
	for i, stream := range c.streams {
		t.Run(fmt.Sprintf("stream %d %s", i, stream.target.Namespace()), func(t *testing.T) {
			t.Parallel()
			for n, event := range stream.events {
				option := "resumeAfter"
				if invalidate := event.Lookup("operationType").Str() == "invalidate"; invalidate {
					continue // what comes behind it belongs to another collection's life
				}
				s := open(t, c.history, stream.target, with(stream.stage, option, event.Lookup("_id")))
				if got := s.Token(); !bytes.Equal(got, event.Lookup("_id").Data) {
					t.Fatalf("the first token is %s", text(got))
				}
				got := fill(t, s, c.history, lookup, 0)
				compareEvents(t, got, stream.events[n+1:])
			}
		})
	}
}

// The streams' own tokens, of version 2: every event is a place to go on from, with both options, in batches of any size.
func TestResumeFromEveryEvent(t *testing.T) {
	t.Parallel()
	c := readCaptured(t)
	lookup := c.lookup()
	for i, stream := range c.streams {
		t.Run(fmt.Sprintf("stream %d %s", i, stream.target.Namespace()), func(t *testing.T) {
			t.Parallel()
			s := open(t, c.history, stream.target, with(stream.stage, "startAtOperationTime", bsonraw.TimestampValue(uint64(c.start))))
			events := fill(t, s, c.history, lookup, 0)
			for n, event := range events {
				for _, option := range []string{"resumeAfter", "startAfter"} {
					if event.Lookup("operationType").Str() == "invalidate" {
						continue
					}
					s := open(t, c.history, stream.target, with(stream.stage, option, event.Lookup("_id")))
					var got []bsonraw.Doc
					for len(got) < len(events)-n-1 {
						batch := fill(t, s, c.history, lookup, 1+n%3)
						if len(batch) == 0 {
							break
						}
						got = append(got, batch...)
					}
					for k := range got {
						if !bytes.Equal(got[k], events[n+1+k]) {
							t.Fatalf("%s event %d: event %d after it is\n%s\nwant\n%s", option, n, k, text(got[k]), text(events[n+1+k]))
						}
					}
					if len(got) != len(events)-n-1 {
						t.Fatalf("%s event %d: %d events, want %d", option, n, len(got), len(events)-n-1)
					}
				}
			}
		})
	}
}

// Tokens grow with their events, as text too: clients compare them as strings.
func TestTokensGrow(t *testing.T) {
	t.Parallel()
	c := readCaptured(t)
	for _, stream := range c.streams {
		s := open(t, c.history, stream.target, with(stream.stage, "startAtOperationTime", bsonraw.TimestampValue(uint64(c.start))))
		last := s.Token().Lookup("_data").Str()
		for _, event := range fill(t, s, c.history, imaged{c.history}, 0) {
			data := event.Lookup("_id").Doc().Lookup("_data").Str()
			if data <= last {
				t.Fatalf("token %s after %s", data, last)
			}
			last = data
		}
	}
}

// The whole of what is given, tokens included, is fixed in a file: a change of any byte has to be meant.
func TestEventsGolden(t *testing.T) {
	t.Parallel()
	c := readCaptured(t)
	var out bytes.Buffer
	for _, stream := range c.streams {
		fmt.Fprintf(&out, "stream %s %s\n", stream.target.Namespace(), text(stream.stage))
		s := open(t, c.history, stream.target, with(stream.stage, "startAtOperationTime", bsonraw.TimestampValue(uint64(c.start))))
		for _, event := range fill(t, s, c.history, imaged{c.history}, 0) {
			fmt.Fprintf(&out, "%s\n", text(event))
		}
		fmt.Fprintf(&out, "token %s\n", text(s.Token()))
	}
	golden.Compare(t, "testdata/events.golden", out.String())
}

// A database's stream that goes on after its invalidate event sees what happened to the name afterwards.
func TestStartAfterInvalidate(t *testing.T) {
	t.Parallel()
	c := readCaptured(t)
	for _, stream := range c.streams {
		if !stream.closed {
			continue
		}
		invalidate := stream.events[len(stream.events)-1]
		s := open(t, c.history, stream.target, with(stream.stage, "startAfter", invalidate.Lookup("_id")))
		ts := oplog.Timestamp(invalidate.Lookup("clusterTime").Int64())
		for _, event := range fill(t, s, c.history, imaged{c.history}, 0) {
			if got := oplog.Timestamp(event.Lookup("clusterTime").Int64()); got <= ts {
				t.Fatalf("an event of %v after the invalidate event of %v: %s", got, ts, text(event))
			}
		}
	}
}
