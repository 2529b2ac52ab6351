package enginetest_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/sluicestream/sluice/engine"
	"github.com/sluicestream/sluice/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServersAreFresh(t *testing.T) {
	t.Parallel()
	for range 2 {
		server := enginetest.Start(t)
		orders := server.Client.Database("shop").Collection("orders")
		if _, err := orders.InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}}); err != nil {
			t.Fatalf("insert into a fresh server: %v", err)
		}
		if n, err := orders.EstimatedDocumentCount(t.Context()); err != nil || n != 1 {
			t.Fatalf("%d documents (%v), want 1", n, err)
		}
	}
}

func TestURIIsForClientsOfThisProcess(t *testing.T) {
	t.Parallel()
	server := enginetest.Start(t)
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI).SetDialer(server.Engine))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if err := client.Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConfigIsUsed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	write := func(t *testing.T) {
		server := enginetest.Start(t, engine.Config{Dir: dir})
		if _, err := server.Client.Database("shop").Collection("orders").InsertOne(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
	}
	// Each subtest closes its server at its end, so that the next can open the folder.
	t.Run("first", write)  //nolint:paralleltest // one after the other
	t.Run("second", write) //nolint:paralleltest // one after the other
	n, err := enginetest.Start(t, engine.Config{Dir: dir}).Client.Database("shop").Collection("orders").EstimatedDocumentCount(t.Context())
	if err != nil || n != 2 {
		t.Errorf("%d documents (%v), want 2", n, err)
	}
}

func TestDatabasesAreApartAndDropped(t *testing.T) {
	t.Parallel()
	server := enginetest.Start(t)
	t.Run("use", func(t *testing.T) { //nolint:paralleltest // the parent looks at what it leaves
		a, b := server.Database(t), server.Database(t)
		if a.Name() == b.Name() {
			t.Fatalf("two databases are called %s", a.Name())
		}
		for _, db := range []*mongo.Database{a, b} {
			if _, err := db.Collection("orders").InsertOne(t.Context(), bson.D{}); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("long name with / and umläut "+strings.Repeat("x", 100), func(t *testing.T) { //nolint:paralleltest // as above
		if _, err := server.Database(t).Collection("orders").InsertOne(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
	})
	names, err := server.Client.ListDatabaseNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "Test") {
			t.Errorf("database %s is left", name)
		}
	}
}

// recorder is a testing.TB that notes failures in place of failing.
type recorder struct {
	testing.TB
	failures []string
	cleanUps []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanUps = append(r.cleanUps, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

// end does what the end of a test does.
func (r *recorder) end() {
	for i := len(r.cleanUps) - 1; i >= 0; i-- {
		r.cleanUps[i]()
	}
}

// start calls Start and survives its failure.
func (r *recorder) start(cfg ...engine.Config) {
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
	}()
	enginetest.Start(r, cfg...)
}

func TestFailuresFailTheTest(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		cfg  []engine.Config
		want string
	}{
		{"two configurations", []engine.Config{{}, {}}, "2 configurations"},
		{"impossible configuration", []engine.Config{{MaxCursors: -1}}, "MaxCursors"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{TB: t}
			r.start(c.cfg...)
			r.end()
			if len(r.failures) != 1 || !strings.Contains(r.failures[0], c.want) {
				t.Errorf("failures %q, want one with %q", r.failures, c.want)
			}
		})
	}
}
