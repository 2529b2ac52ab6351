// Package enginetest gives tests a database of their own: a fresh engine in the test's process, with nothing installed,
// no port and no clean-up to be forgotten.
//
//	func TestOrders(t *testing.T) {
//		server := enginetest.Start(t)
//		orders := server.Database(t).Collection("orders")
//		...
//	}
//
// Only what ties an engine to a test belongs here; the engine itself is package engine.
package enginetest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice/engine"
)

// cleanUpLimit bounds each step of the clean-up.
const cleanUpLimit = 10 * time.Second

// Server is a running engine and a client of it.
type Server struct {
	// Engine is in memory unless a Config says otherwise, and closed when the test ends.
	Engine *engine.Engine
	// URI is for further clients in this process: options.Client().ApplyURI(s.URI).SetDialer(s.Engine). For clients
	// elsewhere let the Engine Listen, and give them Engine.URI.
	URI    string
	Client *mongo.Client // connected within the process
}

// Start opens an engine and connects a client to it. When the test ends the client is disconnected and the engine
// closed; a failure of either fails the test. Without cfg, or when its Dir is empty, the data is in memory. At most one
// cfg may be given.
func Start(tb testing.TB, cfg ...engine.Config) *Server {
	tb.Helper()
	if len(cfg) > 1 {
		tb.Fatalf("enginetest: start: %d configurations are given, at most one is possible", len(cfg))
	}
	var config engine.Config
	if len(cfg) == 1 {
		config = cfg[0]
	}
	e, err := engine.Open(tb.Context(), config)
	if err != nil {
		tb.Fatalf("enginetest: start: %v", err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Errorf("enginetest: close the engine: %v", err)
		}
	})
	s := &Server{Engine: e, URI: e.URI()}
	s.Client, err = mongo.Connect(options.Client().ApplyURI(s.URI).SetDialer(e))
	if err != nil {
		tb.Fatalf("enginetest: connect: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanUpLimit)
		defer cancel()
		if err := s.Client.Disconnect(ctx); err != nil {
			tb.Errorf("enginetest: disconnect: %v", err)
		}
	})
	return s
}

// serial makes names of databases unique within the process, which is all that can see them.
var serial atomic.Int64

// Database returns a database that no other call returns, named after the test and dropped when it ends. So one server
// serves many tests, parallel ones too.
func (s *Server) Database(tb testing.TB) *mongo.Database {
	tb.Helper()
	const longest = 63 // bytes, MongoDB's limit
	suffix := fmt.Sprintf("_%d", serial.Add(1))
	name := strings.Map(inDatabaseName, tb.Name())
	db := s.Client.Database(name[:min(len(name), longest-len(suffix))] + suffix)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanUpLimit)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			tb.Errorf("enginetest: drop database %s: %v", db.Name(), err)
		}
	})
	return db
}

// inDatabaseName keeps ASCII letters and digits, and makes everything else an underscore.
func inDatabaseName(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return r
	default:
		return '_'
	}
}
