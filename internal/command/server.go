package command

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/pattern"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// Config is where a server keeps its data, what it says of itself and what it allows.
type Config struct {
	Store        store.Config
	ReplicaSet   string // the set's name; required
	TestCommands bool   // whether fail points can be set
	MaxCursors   int    // open cursors of all clients; 0: 100,000
	Logger       *slog.Logger
}

// Server answers commands on one store.
type Server struct {
	cfg           Config
	store         *store.Store
	cursors       cursors
	sessions      sessions
	transactions  transactions
	snapshots     snapshots
	classes       changestream.Classes
	failPoints    failPoints
	ttl           ttl
	counters      counters
	traffic       traffic
	log           *logLines
	usages        usages
	connections   connections
	topology      topology
	nextOperation atomic.Int32 // ids of operations
	processID     [12]byte     // of this start, an ObjectId
	started       time.Time

	stopping context.Context
	stop     context.CancelCauseFunc
	reaper   sync.WaitGroup
	patterns sync.Once // regular expressions are let go of
}

// counters are what serverStatus tells.
type counters struct {
	connections, created         atomic.Int64
	insert, query, update        atomic.Int64
	deleted, getMore, other      atomic.Int64
	streamsOpen, cursorsTimedOut atomic.Int64
}

// Open opens the store, creating it where there is none, and a server on it. Close ends both.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.MaxCursors == 0 {
		cfg.MaxCursors = 100_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	lines := &logLines{}
	cfg.Logger = slog.New(&keeper{Handler: cfg.Logger.Handler(), lines: lines})
	cfg.Store.Logger, cfg.Store.IndexRules = cfg.Logger, plan.CompileIndexRules
	st, err := store.Open(ctx, cfg.Store)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, store: st, started: time.Now(), log: lines}
	_, _ = rand.Read(s.processID[:]) // it never fails
	s.topology.init()
	s.traffic.init()
	s.cursors.init(cfg.MaxCursors)
	s.sessions.init(st)
	s.failPoints.init()
	if err := dropTemporary(ctx, s); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	s.stopping, s.stop = context.WithCancelCause(context.Background())
	s.reaper.Go(s.reap)
	s.ttl.init()
	s.reaper.Go(func() { s.ttl.run(s) })
	pattern.Hold()
	return s, nil
}

// errShutdown ends what is under way when the server is closed.
var errShutdown = mongoerr.New(mongoerr.InterruptedAtShutdown, "interrupted at shutdown")

// Stop interrupts what is under way: every command still running ends with code 11600.
func (s *Server) Stop() {
	s.Quiesce()
	s.stop(errShutdown)
}

// Context ends when the server stops. Commands run under it.
func (s *Server) Context() context.Context { return s.stopping }

// Failed is closed when the storage has failed: nothing is acknowledged any more.
func (s *Server) Failed() <-chan struct{} { return s.store.Failed() }

// Close stops the server, waits for its goroutines and closes the store, whose failure it returns. No command may be running
// any more.
func (s *Server) Close() error {
	s.Stop()
	s.reaper.Wait()
	s.cursors.closeAll()
	s.transactions.killWhere(func(*transaction) bool { return true }, errShutdown)
	s.snapshots.closeAll()
	s.patterns.Do(pattern.Release)
	return s.store.Close()
}

// reapEvery is how often idle cursors and sessions are looked for, reapSoon how often what must not stay for long.
const (
	reapEvery = 30 * time.Second
	reapSoon  = time.Second
)

func (s *Server) reap() {
	tick, soon := time.NewTicker(reapEvery), time.NewTicker(reapSoon)
	defer tick.Stop()
	defer soon.Stop()
	for {
		select {
		case <-s.stopping.Done():
			return
		case now := <-soon.C:
			s.transactions.expire(now)
			s.snapshots.expire(now)
		case now := <-tick.C:
			s.counters.cursorsTimedOut.Add(int64(s.cursors.expire(now)))
			for _, id := range s.sessions.expire(now, s.transactions.has) {
				s.cursors.killSession(id)
			}
		}
	}
}
