package changestream_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// Tokens that both are whole compare as their parts do.
func FuzzTokenOrder(f *testing.F) {
	for _, v := range tokenVectors {
		f.Add([]byte(tokenDoc(f, v.data, v.types)), []byte(tokenDoc(f, tokenVectors[0].data, "")))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var tokens [2]changestream.Token
		var data [2]string
		for i, doc := range [][]byte{a, b} {
			if bsonraw.Validate(doc, bsonraw.MaxMessageDepth) != nil {
				return
			}
			k, err := changestream.ParseToken(doc)
			if err != nil || k.Version != 2 {
				return
			}
			tokens[i], data[i] = k, bsonraw.Doc(k.Append(nil)).Lookup("_data").Str()
		}
		if got, want := strings.Compare(data[0], data[1]), compareTokens(tokens[0], tokens[1]); got != want {
			t.Fatalf("%s\n%s\ncompare %d, their parts %d", data[0], data[1], got, want)
		}
	})
}

// Whatever a client sends to resume from, it gets one of MongoDB's errors, or a part of the end of what there is, in order.
func FuzzResume(f *testing.F) {
	h, events := resumable(f)
	add := func(token bsonraw.Doc) {
		key, err := hex.DecodeString(token.Lookup("_data").Str())
		if err != nil {
			f.Fatal(err)
		}
		_, types := token.Lookup("_typeBits").Binary()
		for which := range uint8(4 * len(targets)) {
			f.Add(key, types, which)
		}
	}
	for _, list := range events {
		for _, e := range list {
			add(e.Lookup("_id").Doc())
		}
	}
	for _, v := range tokenVectors {
		add(tokenDoc(f, v.data, v.types))
	}
	f.Fuzz(func(t *testing.T, key, types []byte, which uint8) {
		token := bson.D{{Key: "_data", Value: fmt.Sprintf("%X", key)}, {Key: "_typeBits", Value: bson.Binary{Data: types}}}
		way := [...]string{"resumeAfter", "startAfter"}[int(which)/len(targets)%2]
		expanded := int(which)/len(targets)/2%2 == 1
		stage := encode(t, bson.D{{Key: way, Value: token}, {Key: "showExpandedEvents", Value: expanded}})
		n := int(which) % len(targets)
		spec, err := changestream.Parse(stage.Value(), targets[n])
		if err != nil {
			wantItsCode(t, err)
			return
		}
		whole := pipeline(t)
		s, err := changestream.Open(spec, whole, changestream.OpenOptions{Now: h.end})
		if err != nil {
			wantItsCode(t, err)
			return
		}
		got, err := tryFill(s, h, h, 0)
		if err != nil {
			wantItsCode(t, err)
		}
		if k, err := changestream.ParseToken(s.Token()); err != nil {
			t.Fatalf("postBatchResumeToken %s: %v (%v)", text(s.Token()), err, k)
		}
		last, previous := 0, ""
		for _, e := range got {
			data := e.Lookup("_id").Doc().Lookup("_data").Str()
			if data <= previous {
				t.Fatalf("token %s does not follow %s", data, previous)
			}
			previous = data
			at := slices.IndexFunc(events[n][last:], func(known bsonraw.Doc) bool {
				return bytes.Equal(known.Lookup("_id").Data, e.Lookup("_id").Data)
			})
			if at < 0 || last > 0 && at > 0 && expanded {
				t.Fatalf("event %s is not the next one", text(e))
			}
			last += at + 1
		}
	})
}

// targets are what the streams of the fuzz target watch.
var targets = []changestream.Target{collection, database, cluster}

// resumable is a history, and what streams of each target show of it with all their events. Those of the collection go beyond its end.
func resumable(t testing.TB) (*history, [][]bsonraw.Doc) {
	t.Helper()
	h := newHistory()
	start := h.end + 1
	h.command(t, "shop", `{"create":"orders","idIndex":{"v":2}}`)
	h.insert(t, "shop.orders", `{"_id":1}`)
	h.insert(t, "shop.orders", `{"_id":"two","a":{"$numberLong":"1"}}`)
	h.insert(t, "other.things", `{"_id":1}`)
	h.update(t, "shop.orders", 1, `{"u":{"a":1}}`)
	h.noop(t)
	h.remove(t, "shop.orders", 1)
	h.command(t, "shop", `{"drop":"orders"}`)
	h.insert(t, "shop.orders", `{"_id":3}`)
	h.command(t, "shop", `{"dropDatabase":1}`)
	h.insert(t, "shop.orders", `{"_id":4}`)
	events := make([][]bsonraw.Doc, len(targets))
	for i, target := range targets {
		for next := start; ; {
			s := open(t, h, target, bson.D{{Key: "startAtOperationTime", Value: bson.Timestamp{T: next.Seconds(), I: next.Increment()}}, {Key: "showExpandedEvents", Value: true}})
			events[i] = append(events[i], fill(t, s, h, h, 0)...)
			if !s.Done() {
				break
			}
			next = s.Position() + 1
		}
	}
	return h, events
}

// wantItsCode fails for an error that is not one of MongoDB's.
func wantItsCode(t *testing.T, err error) {
	t.Helper()
	if mongoerr.From(err).Code == mongoerr.InternalError {
		t.Fatal(err)
	}
}
