package changestream_test

import (
	"bufio"
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// history is an oplog in memory.
type history struct {
	entries []*oplog.Entry
	floor   oplog.Timestamp // what is before it is gone
	end     oplog.Timestamp // everything up to here is durable
}

func (h *history) Scan(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (bool, error)) (oplog.Timestamp, error) {
	if from < h.floor {
		return 0, mongoerr.New(mongoerr.ChangeStreamHistoryLost, "history lost")
	}
	for _, e := range h.entries {
		if e.TS < from {
			continue
		}
		if ctx.Err() != nil {
			return e.TS - 1, ctx.Err()
		}
		if more, err := fn(e); err != nil || !more {
			return e.TS, err
		}
	}
	return max(h.end, from-1), nil
}

func (h *history) Newest() oplog.Timestamp { return h.end }

// add appends an entry with the next timestamp.
func (h *history) add(t testing.TB, e *oplog.Entry) *oplog.Entry {
	t.Helper()
	h.end++
	e.TS, e.Wall = h.end, 1_700_000_000_000
	if e.O == nil {
		e.O = bsonraw.Empty
	}
	raw, at := e.Append(nil)
	at.Put(raw, e.TS)
	parsed, err := oplog.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	h.entries = append(h.entries, parsed)
	return parsed
}

var collUUID = [16]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF}

func newHistory() *history { return &history{end: oplog.MakeTimestamp(1_700_000_000, 0)} }

func (h *history) insert(t testing.TB, ns string, doc any) *oplog.Entry {
	t.Helper()
	d := encode(t, doc)
	return h.add(t, &oplog.Entry{Op: oplog.Insert, NS: []byte(ns), UUID: collUUID, HasUUID: true, O: d, O2: keyOf(d)})
}

func (h *history) update(t testing.TB, ns string, id any, diff any) *oplog.Entry {
	t.Helper()
	key := encode(t, bson.D{{Key: "_id", Value: id}})
	return h.add(t, &oplog.Entry{Op: oplog.Update, NS: []byte(ns), UUID: collUUID, HasUUID: true, O: oplog.AppendEntry(nil, encode(t, diff)), O2: key})
}

func (h *history) remove(t testing.TB, ns string, id any) *oplog.Entry {
	t.Helper()
	return h.add(t, &oplog.Entry{Op: oplog.Delete, NS: []byte(ns), UUID: collUUID, HasUUID: true, O: encode(t, bson.D{{Key: "_id", Value: id}})})
}

func (h *history) command(t testing.TB, db string, o any) *oplog.Entry {
	t.Helper()
	doc := encode(t, o)
	return h.add(t, &oplog.Entry{Op: oplog.Command, NS: []byte(db + ".$cmd"), UUID: collUUID, HasUUID: doc.Lookup("dropDatabase").IsMissing(), O: doc})
}

func (h *history) noop(t testing.TB) { h.add(t, &oplog.Entry{Op: oplog.NoOp}) }

// state is what the collections hold after the entries up to a timestamp, by namespace and key.
func (h *history) state(before oplog.Timestamp) map[string]bsonraw.Doc {
	docs := map[string]bsonraw.Doc{}
	for _, e := range h.entries {
		if e.TS >= before {
			break
		}
		switch e.Op {
		case oplog.Insert:
			docs[string(e.UUID[:])+string(keyOf(e.O))] = e.O
		case oplog.Delete:
			delete(docs, string(e.UUID[:])+string(keyOf(e.O)))
		case oplog.Update:
			key := string(e.UUID[:]) + string(keyOf(e.O2))
			pre := docs[key]
			docs[key] = e.O
			if diff, ok := oplog.EntryDiff(e.O); ok {
				docs[key], _ = oplog.ApplyDiff(pre, diff)
			}
		}
	}
	return docs
}

func (h *history) FindByKey(_ context.Context, _ []byte, uuid [16]byte, key bsonraw.Doc, _ oplog.Timestamp) (bsonraw.Doc, error) {
	return h.state(h.end + 1)[string(uuid[:])+string(key)], nil
}

// imaged is a history that recorded images.
type imaged struct{ *history }

func (h imaged) PreImage(_ context.Context, uuid [16]byte, ts oplog.Timestamp, _ int32) (bsonraw.Doc, error) {
	for _, e := range h.entries {
		if e.TS == ts {
			key := e.O2
			if e.Op == oplog.Delete {
				key = e.O
			}
			return h.state(ts)[string(uuid[:])+string(keyOf(key))], nil
		}
	}
	return nil, nil
}

func encode(t testing.TB, v any) bsonraw.Doc {
	t.Helper()
	if d, ok := v.(bsonraw.Doc); ok {
		return d
	}
	if s, ok := v.(string); ok {
		return parse(t, s)
	}
	b, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parse reads Extended JSON and keeps the order of the fields.
func parse(t testing.TB, text string) bsonraw.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return encode(t, d)
}

func text(d bsonraw.Doc) string {
	s, err := bson.MarshalExtJSON(bson.Raw(d), true, false)
	if err != nil {
		return err.Error()
	}
	return string(s)
}

func keyOf(doc bsonraw.Doc) bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(bsonraw.AppendValue(dst, "_id", doc.Lookup("_id")), at)
}

// array makes a pipeline of stages given as Extended JSON, $changeStream before them.
func pipeline(t testing.TB, stages ...string) bsonraw.Doc {
	t.Helper()
	a := bsonraw.BeginArray(nil)
	a.AppendDoc(parse(t, `{"$changeStream": {}}`))
	for _, s := range stages {
		a.AppendDoc(parse(t, s))
	}
	return a.End()
}

// collection and others are what the tests watch.
var (
	collection = changestream.Target{DB: "shop", Coll: "orders"}
	database   = changestream.Target{DB: "shop"}
	cluster    = changestream.Target{DB: "admin"}
)

func open(t testing.TB, h *history, target changestream.Target, stage any, stages ...string) *changestream.Stream {
	t.Helper()
	s, err := tryOpen(t, h, target, stage, stages...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryOpen(t testing.TB, h *history, target changestream.Target, stage any, stages ...string) (*changestream.Stream, error) {
	t.Helper()
	doc := encode(t, stage)
	if target.DB == "admin" {
		dst := append([]byte(nil), doc[:len(doc)-1]...)
		doc = bsonraw.EndDoc(bsonraw.AppendBool(dst, "allChangesForCluster", true), 0)
	}
	spec, err := changestream.Parse(doc.Value(), target)
	if err != nil {
		return nil, err
	}
	return changestream.Open(spec, pipeline(t, stages...), changestream.OpenOptions{Now: h.end})
}

// fill gives one batch.
func fill(t testing.TB, s *changestream.Stream, h *history, lookup changestream.Lookup, maxDocs int) []bsonraw.Doc {
	t.Helper()
	docs, err := tryFill(s, h, lookup, maxDocs)
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func tryFill(s *changestream.Stream, h *history, lookup changestream.Lookup, maxDocs int) ([]bsonraw.Doc, error) {
	list := bsonraw.BeginArray(nil)
	err := s.Fill(context.Background(), h, lookup, &changestream.Batch{Docs: &list, MaxDocs: maxDocs, MaxBytes: 16 << 20})
	var docs []bsonraw.Doc
	for it := bsonraw.Doc(list.End()).Iter(); it.Next(); {
		docs = append(docs, it.Value().Doc())
	}
	return docs, err
}

// drain gives everything until a batch is empty or the stream has ended.
func drain(t testing.TB, s *changestream.Stream, h *history, maxDocs int) []bsonraw.Doc {
	t.Helper()
	var all []bsonraw.Doc
	for {
		docs := fill(t, s, h, h, maxDocs)
		all = append(all, docs...)
		if len(docs) == 0 || s.Done() {
			return all
		}
	}
}

func types(events []bsonraw.Doc) string {
	var names []string
	for _, e := range events {
		names = append(names, e.Lookup("operationType").Str())
	}
	return strings.Join(names, " ")
}

func token(e bsonraw.Doc) bson.Raw { return bson.Raw(e.Lookup("_id").Doc()) }

func wantCode(t testing.TB, err error, code mongoerr.Code) {
	t.Helper()
	if err == nil || mongoerr.From(err).Code != code {
		t.Fatalf("error %v, want code %d", err, code)
	}
}

// captured is what a real server logged, and what its change streams made of it.
type captured struct {
	history *history
	start   oplog.Timestamp
	streams []capturedStream
}

type capturedStream struct {
	target changestream.Target
	stage  bsonraw.Doc
	events []bsonraw.Doc
	closed bool
}

// capturedLine is a line of the file, read once.
type capturedLine struct {
	what, rest string
	doc        bsonraw.Doc
}

var capturedLines = sync.OnceValues(func() ([]capturedLine, error) {
	f, err := os.Open("testdata/mongod.txt")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []capturedLine
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		what, rest, _ := strings.Cut(lines.Text(), " ")
		l := capturedLine{what: what, rest: rest}
		if strings.HasPrefix(rest, "{") {
			var d bson.D
			if err := bson.UnmarshalExtJSON([]byte(rest), false, &d); err != nil {
				return nil, err
			}
			if l.doc, err = bson.Marshal(d); err != nil {
				return nil, err
			}
		}
		all = append(all, l)
	}
	return all, lines.Err()
})

func readCaptured(t testing.TB) captured {
	t.Helper()
	lines, err := capturedLines()
	if err != nil {
		t.Fatal(err)
	}
	c := captured{history: new(history)}
	for _, l := range lines {
		last := len(c.streams) - 1
		switch l.what {
		case "start":
			c.start = oplog.Timestamp(l.doc.Lookup("ts").Int64())
		case "entry":
			e, err := oplog.Parse(l.doc)
			if err != nil {
				t.Fatal(err)
			}
			c.history.entries, c.history.end = append(c.history.entries, e), e.TS
		case "stream":
			c.streams = append(c.streams, capturedStream{
				target: changestream.Target{DB: l.doc.Lookup("db").Str(), Coll: l.doc.Lookup("coll").Str()},
				stage:  l.doc.Lookup("stage").Doc(),
			})
		case "event":
			c.streams[last].events = append(c.streams[last].events, l.doc)
		case "end":
			c.streams[last].closed = l.rest == "closed"
		}
	}
	if len(c.streams) == 0 || len(c.history.entries) == 0 {
		t.Fatal("nothing was captured")
	}
	return c
}
