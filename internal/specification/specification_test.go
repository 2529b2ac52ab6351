package specification

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/engine"
	"github.com/sluicestream/sluice/enginetest"
	"github.com/sluicestream/sluice/internal/golden"
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

const (
	envFiles   = "SLUICE_SPECIFICATION"
	envMongoDB = "SLUICE_SPECIFICATION_MONGODB"
)

// TestChangeStreams runs every test of every file, one after the other: their fail points are the whole server's.
func TestChangeStreams(t *testing.T) { //nolint:paralleltest // see above
	folder := os.Getenv(envFiles)
	if folder == "" {
		t.Skipf("no files to run: %s is not set; see the package's comment", envFiles)
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in %s (%v)", folder, err)
	}
	results := map[string]map[string]*tally{} // by server and file
	t.Run("engine", func(t *testing.T) {      //nolint:paralleltest // see above
		s := enginetest.Start(t, engine.Config{TestCommands: true})
		results["engine"] = runFiles(t, paths, options.Client().ApplyURI(s.URI).SetDialer(s.Engine))
	})
	t.Run("mongod", func(t *testing.T) { //nolint:paralleltest // see above
		uri := os.Getenv(envMongoDB)
		if uri == "" {
			t.Skipf("no MongoDB of our own: %s is not set", envMongoDB)
		}
		results["mongod"] = runFiles(t, paths, options.Client().ApplyURI(uri))
	})
	compare(t, paths, results)
}

// tally counts the results of a file's tests.
type tally struct {
	passed, failed int
	skipped        []string // why
}

func (r *tally) String() string {
	if r == nil {
		return ""
	}
	text := fmt.Sprintf("%d passed", r.passed)
	if r.failed > 0 {
		text += fmt.Sprintf(", %d failed", r.failed)
	}
	slices.Sort(r.skipped)
	for i := 0; i < len(r.skipped); {
		n := 1
		for i+n < len(r.skipped) && r.skipped[i+n] == r.skipped[i] {
			n++
		}
		text += fmt.Sprintf(", %d for %s", n, r.skipped[i])
		i += n
	}
	return text
}

func runFiles(t *testing.T, paths []string, server *options.ClientOptions) map[string]*tally {
	t.Helper()
	version := versionOf(t, server)
	results := map[string]*tally{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var f file
		if err := bson.UnmarshalExtJSON(text, false, &f); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		r := &tally{}
		results[filepath.Base(path)] = r
		for _, test := range f.Tests {
			if reason := unmet(version, f.RunOnRequirements, test.RunOnRequirements); reason != "" {
				r.skipped = append(r.skipped, reason)
				continue
			}
			passed := t.Run(strings.TrimSuffix(filepath.Base(path), ".json")+"/"+test.Description, func(t *testing.T) { runTest(t, server, &f, &test) })
			if passed {
				r.passed++
			} else {
				r.failed++
			}
		}
	}
	return results
}

func runTest(t *testing.T, server *options.ClientOptions, f *file, test *specTest) {
	t.Helper()
	r := &runner{
		t: t, clients: map[string]*mongo.Client{}, dbs: map[string]*mongo.Database{}, colls: map[string]*mongo.Collection{},
		streams: map[string]*sluice.Stream[bson.Raw]{}, sent: map[string][]bson.Raw{},
	}
	r.connect = func(more *options.ClientOptions) *mongo.Client { return connect(t, server, more) }
	r.run(f, test)
}

func connect(t *testing.T, server, more *options.ClientOptions) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(server, more.SetHeartbeatInterval(500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := client.Disconnect(ctx); err != nil {
			t.Errorf("disconnect: %v", err)
		}
	})
	return client
}

func versionOf(t *testing.T, server *options.ClientOptions) []int {
	t.Helper()
	var info struct {
		Version string `bson:"version"`
	}
	if err := connect(t, server, options.Client()).Database("admin").RunCommand(t.Context(), bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info); err != nil {
		t.Fatal(err)
	}
	return numbers(info.Version)
}

func numbers(version string) []int {
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part)
		out = append(out, n)
	}
	return out
}

// unmet says which of the requirements a replica set of this version does not meet; "" if it meets one of each list.
func unmet(version []int, lists ...[]requirement) string {
	reason := ""
	for _, list := range lists {
		met := len(list) == 0
		for _, r := range list {
			switch {
			case len(r.Topologies) > 0 && !slices.Contains(r.Topologies, "replicaset"):
				reason = "other topologies"
			case r.Min != "" && slices.Compare(version, numbers(r.Min)) < 0:
				reason = "later servers"
			case r.Max != "" && slices.Compare(version[:len(numbers(r.Max))], numbers(r.Max)) > 0:
				reason = "earlier servers"
			default:
				met = true
			}
		}
		if !met {
			return reason
		}
	}
	return ""
}

const resultsFile = "../../docs/specification.md"

// compare compares the results with the table in the documentation.
func compare(t *testing.T, paths []string, results map[string]map[string]*tally) {
	t.Helper()
	text, err := os.ReadFile(resultsFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, path := range paths {
		name := filepath.Base(path)
		i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "| "+name+" |") })
		if i < 0 {
			t.Errorf("%s has no line for %s", resultsFile, name)
			continue
		}
		cells := strings.Split(lines[i], "|")
		for column, server := range []string{"engine", "mongod"} {
			if got := results[server][name].String(); got != "" {
				cells[2+column] = " " + got + " "
			}
		}
		lines[i] = strings.Join(cells, "|")
	}
	if !t.Failed() {
		golden.Compare(t, resultsFile, strings.Join(lines, "\n"))
	}
}
