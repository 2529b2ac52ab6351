package enginetest_test

import (
	"fmt"
	"path/filepath"
	"slices"
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
	cfg := engine.Config{Dir: filepath.Join(t.TempDir(), "data")}
	for n := int64(1); n <= 2; n++ {
		one := &recorder{TB: t}
		orders := enginetest.Start(one, cfg).Client.Database("shop").Collection("orders")
		if _, err := orders.InsertOne(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
		if got, err := orders.EstimatedDocumentCount(t.Context()); err != nil || got != n {
			t.Errorf("%d documents (%v), want %d", got, err, n)
		}
		one.end() // closes the engine, so that the next can open the folder
		if len(one.failures) > 0 {
			t.Error(one.failures)
		}
	}
}

func TestDatabasesAreApartAndDropped(t *testing.T) {
	t.Parallel()
	server := enginetest.Start(t)
	names := map[string]bool{}
	for _, name := range []string{"TestOrders", "TestOrders", "TestOrders/with_umläut_" + strings.Repeat("x", 100)} {
		one := &recorder{TB: t, name: name}
		db := server.Database(one)
		if _, err := db.Collection("orders").InsertOne(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
		if names[db.Name()] {
			t.Errorf("two databases are called %s", db.Name())
		}
		names[db.Name()] = true
		if !strings.HasPrefix(db.Name(), "TestOrders") {
			t.Errorf("database %s is not named after its test", db.Name())
		}
		one.end()
		if len(one.failures) > 0 {
			t.Error(one.failures)
		}
	}
	left, err := server.Client.ListDatabaseNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if names[name] {
			t.Errorf("database %s is left", name)
		}
	}
}

// recorder is a test within a test: it ends when it is told to, and notes failures in place of failing.
type recorder struct {
	testing.TB
	name     string
	failures []string
	cleanUps []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Name() string     { return r.name }
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
	for _, cleanUp := range slices.Backward(r.cleanUps) {
		cleanUp()
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

// TestStock runs what the example shows.
func TestStock(t *testing.T) {
	t.Parallel()
	testStock(t)
}
