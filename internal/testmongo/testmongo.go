// Package testmongo gives tests the servers that they run on: each test runs once a server, as a subtest named after it,
// "engine" or "mongod".
//
// The engine is a fresh one in the test's process, from package enginetest. A real MongoDB is used when SLUICE_TEST_MONGODB holds the URI of a replica set whose test commands are enabled
// (test/tools/mongod.sh starts one); without it those subtests are skipped and say so. Nothing but tests may import this
// package, and only external test packages, because it may import everything.
package testmongo

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice/engine"
	"github.com/sluicestream/sluice/enginetest"
)

// EnvURI is the environment variable with the URI of a real MongoDB.
const EnvURI = "SLUICE_TEST_MONGODB"

// patience bounds what is asked of a server besides the test's own work, on a machine that may be very busy.
const patience = time.Minute

// Server is a server under test.
type Server struct {
	Name   string                // of the subtest
	URI    string                // what drivers connect to
	Dialer options.ContextDialer // nil: the network

	failPoints chan struct{} // admits one user of fail points at a time, because a server has one of each name
}

// servers lists the servers that a test runs on. open skips the test if the server cannot be had.
var servers = []struct {
	name string
	open func(tb testing.TB) *Server
}{
	{"engine", embedded},
	{"mongod", mongod},
}

// Run runs a test on each server, as parallel subtests.
func Run(t *testing.T, test func(t *testing.T, server *Server)) {
	t.Helper()
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s.open(t))
		})
	}
}

// Bench runs a benchmark on each server.
func Bench(b *testing.B, bench func(b *testing.B, server *Server)) {
	b.Helper()
	for _, s := range servers {
		b.Run(s.name, func(b *testing.B) { bench(b, s.open(b)) })
	}
}

func embedded(tb testing.TB) *Server {
	tb.Helper()
	s := enginetest.Start(tb, engine.Config{TestCommands: true})
	return &Server{Name: "engine", URI: s.URI, Dialer: s.Engine, failPoints: make(chan struct{}, 1)}
}

// mongodFailPoints is the one of the server that all tests share.
var mongodFailPoints = make(chan struct{}, 1)

func mongod(tb testing.TB) *Server {
	tb.Helper()
	uri := os.Getenv(EnvURI)
	if uri == "" {
		tb.Skipf("no MongoDB to test on: set %s, for example to the output of test/tools/mongod.sh start", EnvURI)
	}
	return &Server{Name: "mongod", URI: uri, failPoints: mongodFailPoints}
}

// serial numbers what has to be unique within the process; started tells processes apart that share a server.
var (
	serial  atomic.Int64
	started = time.Now().UnixMilli()
)

func unique() string { return fmt.Sprintf("%d_%d_%d", started, os.Getpid(), serial.Add(1)) }

// Client connects to the server and disconnects when the test ends. configure may change the options. Each client has
// an application name of its own, which FailCommand uses.
func (s *Server) Client(tb testing.TB, configure ...func(*options.ClientOptions)) *mongo.Client {
	tb.Helper()
	opts := options.Client().ApplyURI(s.URI).SetAppName("sluice_test_" + unique())
	if s.Dialer != nil {
		opts.SetDialer(s.Dialer)
	}
	for _, f := range configure {
		f(opts)
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		tb.Fatalf("connect to %s: %v", s.Name, err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := client.Disconnect(ctx); err != nil {
			tb.Errorf("disconnect from %s: %v", s.Name, err)
		}
	})
	return client
}

// Database returns a database of the client that no other test uses, and drops it when the test ends.
func Database(tb testing.TB, client *mongo.Client) *mongo.Database {
	tb.Helper()
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, tb.Name())
	const longest = 63 // bytes, MongoDB's limit
	suffix := "_" + unique()
	db := client.Database(name[:min(len(name), longest-len(suffix))] + suffix)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			tb.Errorf("drop database %s: %v", db.Name(), err)
		}
	})
	return db
}

// FailPoint sets a fail point of the server until the test ends or the returned function is called. Of failCommand,
// data should name the application that is to suffer: fail points are the whole server's.
func (s *Server) FailPoint(tb testing.TB, name string, mode any, data bson.D) (off func()) {
	tb.Helper()
	admin := s.Client(tb).Database("admin")
	s.failPoints <- struct{}{}
	set := func(mode any, data bson.D) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		command := bson.D{{Key: "configureFailPoint", Value: name}, {Key: "mode", Value: mode}}
		if data != nil {
			command = append(command, bson.E{Key: "data", Value: data})
		}
		return admin.RunCommand(ctx, command).Err()
	}
	var done atomic.Bool
	off = func() {
		if done.Swap(true) {
			return
		}
		if err := set("off", nil); err != nil {
			tb.Errorf("turn off fail point %s: %v", name, err)
		}
		<-s.failPoints
	}
	if err := set(mode, data); err != nil {
		<-s.failPoints
		tb.Fatalf("set fail point %s: %v", name, err)
	}
	tb.Cleanup(off)
	return off
}
