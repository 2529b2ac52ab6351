package main

import (
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice/enginetest"
)

// watching starts `sluice watch` and returns when the stream is open.
func watching(t testing.TB, vars map[string]string, args ...string) *running {
	t.Helper()
	r := start(t, vars, append([]string{"watch"}, args...)...)
	r.stderr.awaitText(t, "sluice: watching ")
	return r
}

func insert(t testing.TB, coll *mongo.Collection, docs ...bson.D) {
	t.Helper()
	for _, doc := range docs {
		if _, err := coll.InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
}

func byID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }

func TestWatchPrintsChangesForPeople(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s target) {
		r := watching(t, nil, s.uri, "--db", s.db.Name())
		orders := s.db.Collection("orders")
		insert(t, orders, bson.D{{Key: "_id", Value: 1}, {Key: "status", Value: "new"}, {Key: "note", Value: "x"}})
		change := bson.D{{Key: "$set", Value: bson.D{{Key: "status", Value: "paid"}}}, {Key: "$unset", Value: bson.D{{Key: "note", Value: ""}}}}
		if _, err := orders.UpdateByID(t.Context(), 1, change); err != nil {
			t.Fatal(err)
		}
		if _, err := orders.DeleteOne(t.Context(), byID(1)); err != nil {
			t.Fatal(err)
		}
		lines := r.stdout.awaitLines(t, 3)
		ns := regexp.QuoteMeta(s.db.Name() + ".orders")
		for i, want := range []string{
			`^\d\d:\d\d:\d\d\.\d\d\d  insert   ` + ns + `  1  \{status: "new", note: "x"\}$`,
			`^\d\d:\d\d:\d\d\.\d\d\d  update   ` + ns + `  1  status: "paid", removed note$`,
			`^\d\d:\d\d:\d\d\.\d\d\d  delete   ` + ns + `  1$`,
		} {
			if !regexp.MustCompile(want).MatchString(lines[i]) {
				t.Errorf("line %q, want %s", lines[i], want)
			}
		}
		r.stopCleanly(t)
	})
}

func TestWatchPrintsJSON(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s target) {
		r := watching(t, nil, s.uri, "--json", "--db", s.db.Name(), "--coll", "orders")
		orders := s.db.Collection("orders")
		doc := bson.D{{Key: "_id", Value: int32(7)}, {Key: "text", Value: "a\nb\u009bc\x7f"}, {Key: "n", Value: 2.5}}
		insert(t, orders, doc)
		insert(t, s.db.Collection("other"), byID(1))
		insert(t, orders, byID(8))
		lines := r.stdout.awaitLines(t, 2)
		checkText(t, []byte(lines[0]+"\n"))
		var e struct {
			OperationType string `bson:"operationType"`
			FullDocument  bson.D `bson:"fullDocument"`
		}
		for i, want := range []bson.D{doc, byID(int32(8))} {
			if err := bson.UnmarshalExtJSON([]byte(lines[i]), true, &e); err != nil {
				t.Fatalf("%s: %v", lines[i], err)
			}
			if e.OperationType != "insert" || e.FullDocument.String() != want.String() {
				t.Errorf("got %s of %v, want insert of %v", e.OperationType, e.FullDocument, want)
			}
		}
		r.stopCleanly(t)
	})
}

// TestWatchOptionsReachTheStream looks at what they do, not at how they are sent.
func TestWatchOptionsReachTheStream(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s target) {
		r := watching(t, map[string]string{"SLUICE_URI": s.uri, "SLUICE_DB": s.db.Name(), "SLUICE_JSON": "true"},
			"--coll=orders", "--full-document=updateLookup", "--batch-size=1", "--max-await-time=200ms", "--comment", "who: me",
			`--pipeline=[{"$match": {"operationType": "update"}}, {"$project": {"clusterTime": 0}}]`)
		orders := s.db.Collection("orders")
		insert(t, orders, bson.D{{Key: "_id", Value: 1}, {Key: "kept", Value: "yes"}})
		if _, err := orders.UpdateByID(t.Context(), 1, bson.D{{Key: "$set", Value: bson.D{{Key: "a", Value: 1}}}}); err != nil {
			t.Fatal(err)
		}
		line := r.stdout.awaitLines(t, 1)[0]
		var e bson.Raw
		if err := bson.UnmarshalExtJSON([]byte(line), true, &e); err != nil {
			t.Fatal(err)
		}
		if e.Lookup("operationType").StringValue() != "update" || e.Lookup("fullDocument", "kept").Type != bson.TypeString {
			t.Errorf("not an update with its document: %s", line)
		}
		if e.Lookup("clusterTime").Type != 0 {
			t.Errorf("the pipeline has not removed the field: %s", line)
		}
		r.stopCleanly(t)
	})
}

func TestWatchReadsPipelineFromStandardInput(t *testing.T) {
	t.Parallel()
	c := &watchCommand{Pipeline: "-"}
	stages, err := c.stages(&process{stdin: strings.NewReader(`[{"$match": {"ns.coll": "orders"}}]`)})
	if err != nil || len(stages) != 1 || stages[0].Lookup("$match", "ns.coll").StringValue() != "orders" {
		t.Errorf("got %v (%v)", stages, err)
	}
}

// TestWatchStartsAfterAToken gives a printed token to further runs, in each form and by each flag.
func TestWatchStartsAfterAToken(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s target) {
		orders := s.db.Collection("orders")
		base := []string{s.uri, "--json", "--db", s.db.Name(), "--coll", "orders"}
		r := watching(t, nil, base...)
		insert(t, orders, byID(1), byID(2))
		var first bson.Raw
		if err := bson.UnmarshalExtJSON([]byte(r.stdout.awaitLines(t, 1)[0]), true, &first); err != nil {
			t.Fatal(err)
		}
		r.stopCleanly(t)
		token, err := bson.MarshalExtJSON(first.Lookup("_id").Document(), true, false)
		if err != nil {
			t.Fatal(err)
		}
		digits := first.Lookup("_id", "_data").StringValue()
		if _, err := hex.DecodeString(digits); err != nil {
			t.Fatal(err)
		}
		seconds, increment := first.Lookup("clusterTime").Timestamp()
		at := bson.Timestamp{T: seconds, I: increment}
		for _, c := range []struct {
			flag, value string
			want        int64 // the first _id that comes
		}{
			{"--resume-after", string(token), 2},
			{"--resume-after", digits, 2},
			{"--start-after", strings.ToLower(digits), 2},
			{"--start-at-operation-time", jsonOf(t, at), 1},
		} {
			r := watching(t, nil, append(base, c.flag, c.value)...)
			var e bson.Raw
			if err := bson.UnmarshalExtJSON([]byte(r.stdout.awaitLines(t, 1)[0]), true, &e); err != nil {
				t.Fatal(err)
			}
			if got := e.Lookup("documentKey", "_id").AsInt64(); got != c.want {
				t.Errorf("%s %s: first event of %d, want %d", c.flag, c.value, got, c.want)
			}
			r.stopCleanly(t)
		}
	})
}

// jsonOf is a time as --start-at-operation-time takes it.
func jsonOf(t testing.TB, at bson.Timestamp) string {
	t.Helper()
	var f timestampFlag
	text := strings.Join([]string{strconv.FormatUint(uint64(at.T), 10), strconv.FormatUint(uint64(at.I), 10)}, ",")
	if err := f.UnmarshalText([]byte(text)); err != nil || f.Timestamp != at {
		t.Fatalf("%s is read as %v (%v)", text, f.Timestamp, err)
	}
	return text
}

// TestWatchEndsWithItsCollection tells that the end of the stream is no failure.
func TestWatchEndsWithItsCollection(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s target) {
		r := watching(t, nil, s.uri, "--db", s.db.Name(), "--coll", "orders")
		insert(t, s.db.Collection("orders"), byID(1))
		if err := s.db.Collection("orders").Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.expectCode(t, exitDone)
		if text := r.stderr.String(); !strings.Contains(text, "orders was dropped or renamed") {
			t.Errorf("stderr does not tell why it ended: %s", text)
		}
		if lines := r.stdout.awaitLines(t, 3); !strings.Contains(lines[2], "invalidate") {
			t.Errorf("the last line is %q", lines[2])
		}
	})
}

// TestWatchStartsAnEngine lets another client write to the engine that watch has started.
func TestWatchStartsAnEngine(t *testing.T) {
	t.Parallel()
	r := watching(t, nil, "--json", "--listen", "127.0.0.1:0", "--dir", filepath.Join(t.TempDir(), "data"))
	uri := regexp.MustCompile(`mongodb://\S+`).FindString(r.stderr.String())
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	insert(t, client.Database("shop").Collection("orders"), byID(1))
	if err := client.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if line := r.stdout.awaitLines(t, 1)[0]; !strings.Contains(line, `"coll":"orders"`) {
		t.Errorf("not the event of the insert: %s", line)
	}
	r.stopCleanly(t)
	if r.stdout.String() != strings.Join(r.stdout.awaitLines(t, 1), "\n")+"\n" {
		t.Errorf("more than events on stdout: %s", r.stdout)
	}
}

func TestWatchTakesAFreePortWhenTheUsualOneIsTaken(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	if usual, err := config.Listen(t.Context(), "tcp", defaultAddress); err == nil { // else somebody else has taken it
		defer usual.Close()
	}
	r := watching(t, nil)
	text := r.stderr.awaitText(t, "mongodb://127.0.0.1:")
	if strings.Contains(text, defaultAddress) {
		t.Errorf("listens on the port that is taken: %s", text)
	}
	r.stopCleanly(t)
}

func TestWatchDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	args := []string{"--demo", "--json", "--listen", "127.0.0.1:0", "--dir", dir}
	r := watching(t, nil, args...)
	first := eventIDs(t, r.stdout.awaitLines(t, 2))
	r.stopCleanly(t)

	// The second run goes on with fresh numbers.
	r = watching(t, nil, args...)
	second := eventIDs(t, r.stdout.awaitLines(t, 1))
	if second[0] <= first[len(first)-1] {
		t.Errorf("orders %v, after %v before", second, first)
	}
	r.stopCleanly(t)
}

// eventIDs returns the _id of each event.
func eventIDs(t testing.TB, lines []string) []int64 {
	t.Helper()
	var ids []int64
	for _, line := range lines {
		var e bson.Raw
		if err := bson.UnmarshalExtJSON([]byte(line), true, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		ids = append(ids, e.Lookup("documentKey", "_id").AsInt64())
	}
	return ids
}

// TestDemoStep makes many changes at once, so that each kind comes.
func TestDemoStep(t *testing.T) {
	t.Parallel()
	coll := enginetest.Start(t).Database(t).Collection("orders")
	d := newDemo(coll)
	if err := d.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	stream, err := coll.Watch(t.Context(), mongo.Pipeline{})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	const steps = 200
	for range steps {
		if err := d.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !stream.Next(within(t)) {
			t.Fatal(stream.Err())
		}
		kinds[stream.Current.Lookup("operationType").StringValue()]++
	}
	if err := stream.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kinds["insert"]+kinds["update"]+kinds["delete"] != steps || min(kinds["insert"], kinds["update"], kinds["delete"]) < steps/10 {
		t.Errorf("%v: want a mix of inserts, updates and deletes, one a step", kinds)
	}
	if len(d.open) < 2 || len(d.open) > 2*demoOpenOrders {
		t.Errorf("%d orders are open, want about %d", len(d.open), demoOpenOrders)
	}
}

func TestWatchFailsClearly(t *testing.T) {
	t.Parallel()
	uri := listening(t, enginetest.Start(t).Engine)
	busy := filepath.Join(t.TempDir(), "busy")
	start(t, nil, "serve", "--dir", busy, "--listen", "127.0.0.1:0").stdout.awaitLines(t, 1)
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("what?"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		args []string
		want []string // parts of the message
	}{
		{"no server", []string{"mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50"}, []string{"open cluster", "is a server running there?"}},
		{"token of nobody", []string{uri, "--resume-after", "82AB"}, []string{"open cluster", "leave the start flags out"}},
		{"bad stage", []string{uri, "--pipeline", `[{"$bogus": {}}]`}, []string{"$bogus"}},
		{"not loopback", []string{"--listen", "0.0.0.0:0"}, []string{"loopback"}},
		{"folder in use", []string{"--dir", busy, "--listen", "127.0.0.1:0"}, []string{busy}},
		{"resume file is garbage", []string{uri, "--resume-file", garbage}, []string{garbage, "delete it to start from now"}},
		{"resume file is empty", []string{uri, "--resume-file", empty}, []string{empty, "delete it to start from now"}},
		{"resume file is a folder", []string{uri, "--resume-file", t.TempDir()}, []string{"not a regular file"}},
		{"resume file without folder", []string{uri, "--resume-file", filepath.Join(garbage+"-not-there", "f")}, []string{"create its folder"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := runToEnd(t, nil, strings.NewReader(""), append([]string{"watch"}, c.args...)...)
			if code != exitFailed || stdout != "" {
				t.Errorf("exit code %d, stdout %q", code, stdout)
			}
			lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
			last := lines[len(lines)-1]
			if !strings.HasPrefix(last, "sluice: watch: ") {
				t.Errorf("the last line is %q", last)
			}
			for _, part := range c.want {
				if !strings.Contains(last, part) {
					t.Errorf("no %q in %q", part, last)
				}
			}
		})
	}
}

// failingWriter fails every write.
type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWatchFailsWhenNothingCanBePrinted(t *testing.T) {
	t.Parallel()
	errs := newTranscript()
	code := run(within(t), []string{"watch", "--demo", "--listen", "127.0.0.1:0"}, strings.NewReader(""),
		failingWriter{errors.New("disk full")}, errs, func(string) string { return "" })
	if code != exitFailed || !strings.Contains(errs.String(), "write to standard output: disk full") {
		t.Errorf("exit code %d, stderr:\n%s", code, errs)
	}
}
