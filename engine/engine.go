package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/sluicestream/sluice/internal/socket"
)

// ErrClosed is returned by what needs an open engine once Close or Shutdown was called, or its storage failed.
var ErrClosed = errors.New("engine: closed")

// Engine is an open database. Its methods may be called from any goroutine.
type Engine struct {
	cfg     Config
	log     *slog.Logger
	backend backend

	ctx      context.Context // of every command; ends when the engine stops
	stop     context.CancelFunc
	tasks    sync.WaitGroup // listeners, connections, the watch over the storage; added to under mu while phase is below closed
	lastID   atomic.Int32
	draining atomic.Bool   // connections end after the command that they are at; set under mu
	drained  chan struct{} // closed once draining is set and no connection is left
	refusals chan struct{} // a place for each refused client that is being told why

	maxSockets int // how many of the connections may be by sockets; not changed once there are any
	lone       *socket.Lone

	closeOnce sync.Once
	closed    chan struct{} // Close has ended
	closeErr  error         // set before closed is closed

	mu struct {
		sync.Mutex
		phase     phase
		conns     map[*conn]struct{}
		sockets   int // how many of conns are not within the process
		listeners []*listener
		firstURI  string // of the first listener there ever was
	}
}

// phase says how far an engine's life has come.
type phase int

const (
	phaseOpen     phase = iota
	phaseDraining       // nobody new; clients are let go as their commands end
	phaseClosed         // everything is being stopped
)

// maxRefusals is how many refused clients are told why at once; what comes beyond is hung up on without a word.
const maxRefusals = 16

// newEngine starts an engine on a backend, which it owns.
func newEngine(cfg Config, b backend) *Engine {
	e := &Engine{
		cfg: cfg, log: cfg.Logger, backend: b, maxSockets: defaultMaxConnections, lone: socket.NewLone(),
		closed: make(chan struct{}), drained: make(chan struct{}), refusals: make(chan struct{}, maxRefusals),
	}
	e.ctx, e.stop = context.WithCancel(context.Background())
	e.mu.conns = map[*conn]struct{}{}
	e.tasks.Go(e.watchStorage)
	return e
}

// watchStorage stops serving when the storage fails: nothing may be acknowledged any more.
func (e *Engine) watchStorage() {
	select {
	case <-e.backend.failed():
		e.log.Error("stopped serving: the storage failed")
		e.halt()
	case <-e.ctx.Done():
	}
}

// Done returns a channel that is closed when the engine no longer serves: after Close or Shutdown, or because its storage
// failed, which Close then reports.
func (e *Engine) Done() <-chan struct{} { return e.ctx.Done() }

// Close stops the engine at once: commands under way are interrupted, connections and listeners closed. It waits for every
// goroutine and returns the failure of the storage, if there was one. Further calls wait likewise and return the same.
//
// Close streams and disconnect clients of this process before: to those that are left the engine is a server that is down. Streams
// try to reach it again for as long as their Options.Retry allows, and a client's Disconnect may wait for it, up to the server
// selection timeout (30 s unless set).
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		e.halt()
		e.tasks.Wait()
		if err := e.backend.close(); err != nil {
			e.closeErr = fmt.Errorf("engine: close: %w", err)
		}
		close(e.closed)
	})
	<-e.closed
	return e.closeErr
}

// Shutdown refuses new clients, lets each command under way end and its client go, and then closes the engine. When ctx ends
// first it closes at once and returns ctx's error too.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.drain()
	var cut error
	select {
	case <-e.drained:
	case <-e.ctx.Done():
	case <-ctx.Done():
		cut = fmt.Errorf("engine: shutdown: %d connections still busy: %w", e.connections(), ctx.Err())
	}
	return errors.Join(cut, e.Close())
}

// drain ends the listeners and the connections that wait for their client. The others see the phase when their command has ended.
func (e *Engine) drain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.phase == phaseOpen {
		e.mu.phase = phaseDraining
		e.refuseLocked()
	}
	e.backend.drain()
	for c := range e.mu.conns {
		c.closeIfIdle()
	}
}

// halt stops everything without waiting for it.
func (e *Engine) halt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.phase == phaseClosed {
		return
	}
	wasOpen := e.mu.phase == phaseOpen
	e.mu.phase = phaseClosed
	e.stop()
	e.backend.interrupt()
	if wasOpen {
		e.refuseLocked()
	}
	for c := range e.mu.conns {
		c.hangUp()
	}
}

// refuseLocked ends the admission of clients, when the phase has moved on from open.
func (e *Engine) refuseLocked() {
	e.draining.Store(true)
	for _, l := range e.mu.listeners {
		if err := l.close(); err != nil {
			e.log.Warn("close a listener", "address", l.advertised, "error", err)
		}
	}
	e.mu.listeners = nil
	e.tellDrainedLocked()
}

func (e *Engine) tellDrainedLocked() {
	if e.mu.phase != phaseOpen && len(e.mu.conns) == 0 {
		select {
		case <-e.drained:
		default:
			close(e.drained)
		}
	}
}

func (e *Engine) connections() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.mu.conns)
}
