package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// held is a command that says when it runs and ends when it is told to, or when its context ends.
type held struct {
	begun, goOn chan struct{}
	interrupted chan struct{}
}

func newHeld() *held {
	return &held{begun: make(chan struct{}, 1), goOn: make(chan struct{}), interrupted: make(chan struct{}, 1)}
}

func (h *held) run(ctx context.Context, _ call) bson.D {
	h.begun <- struct{}{}
	select {
	case <-h.goOn:
		return ok
	case <-ctx.Done():
		h.interrupted <- struct{}{}
		return nil
	}
}

func TestShutdownLetsCommandsEnd(t *testing.T) {
	t.Parallel()
	h := newHeld()
	e, _ := start(t, newScripted(script{"hold": h.run}), Config{})
	idle, busy := dialed["tcp"](t, e), dialed["in process"](t, e)
	ping(t, idle)
	send(t, busy, message(1, 0, bson.D{{Key: "hold", Value: 1}}))
	<-h.begun
	result := make(chan error, 1)
	go func() { result <- e.Shutdown(t.Context()) }()
	wantEnd(t, idle)
	if _, err := e.DialContext(t.Context(), "", ""); !errors.Is(err, ErrClosed) {
		t.Errorf("dial while shutting down: %v, want ErrClosed", err)
	}
	if _, err := e.Listen("tcp", "127.0.0.1:0"); !errors.Is(err, ErrClosed) {
		t.Errorf("listen while shutting down: %v, want ErrClosed", err)
	}
	select {
	case err := <-result:
		t.Fatalf("shutdown returned %v with a command under way", err)
	default:
	}
	close(h.goOn)
	if to, body := receive(t, busy); to != 1 || body.Lookup("ok").Int32() != 1 {
		t.Errorf("the command was answered to %d with %v", to, body)
	}
	wantEnd(t, busy)
	if err := <-result; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	<-e.Done()
}

func TestShutdownCutsWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		e, _ := start(t, newScripted(script{"hold": h.run}), Config{})
		c := dialed["in process"](t, e)
		send(t, c, message(1, 0, bson.D{{Key: "hold", Value: 1}}))
		<-h.begun
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun := time.Now()
		if err := e.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v, want its context's error", err)
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("shutdown took %v, want a minute", took)
		}
		<-h.interrupted
		wantEnd(t, c)
	})
}

func TestShutdownOfAnIdleEngineReturns(t *testing.T) {
	t.Parallel()
	e, _ := start(t, newScripted(nil), Config{})
	for range 2 {
		if err := e.Shutdown(t.Context()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}
}

func TestCloseInterruptsEverything(t *testing.T) {
	t.Parallel()
	h, b := newHeld(), newScripted(nil)
	b.commands = script{"hold": h.run}
	e, _ := start(t, b, Config{})
	idle, busy := dialed["tcp"](t, e), dialed["in process"](t, e)
	ping(t, idle)
	send(t, busy, message(1, 0, bson.D{{Key: "hold", Value: 1}}))
	<-h.begun
	results := make(chan error)
	for range 3 {
		go func() { results <- e.Close() }()
	}
	for range 3 {
		if err := <-results; err != nil {
			t.Errorf("close: %v", err)
		}
	}
	<-h.interrupted
	<-b.stopped
	wantEnd(t, idle)
	wantEnd(t, busy)
	if _, err := e.DialContext(t.Context(), "", ""); !errors.Is(err, ErrClosed) {
		t.Errorf("dial after close: %v, want ErrClosed", err)
	}
}

func TestAStorageFailureStopsServing(t *testing.T) {
	t.Parallel()
	h, b := newHeld(), newScripted(nil)
	b.commands = script{"hold": h.run}
	b.err = errors.New("disk on fire")
	e, log := start(t, b, Config{})
	idle, busy := dialed["tcp"](t, e), dialed["in process"](t, e)
	ping(t, idle)
	send(t, busy, message(1, 0, bson.D{{Key: "hold", Value: 1}}))
	<-h.begun
	close(b.broken)
	<-e.Done()
	wantEnd(t, idle)
	wantEnd(t, busy)
	for range 2 {
		if err := e.Close(); !errors.Is(err, b.err) {
			t.Errorf("close: %v, want the failure", err)
		}
	}
	if err := e.Shutdown(t.Context()); !errors.Is(err, b.err) {
		t.Errorf("shutdown: %v, want the failure", err)
	}
	if lines := log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "storage failed") {
		t.Errorf("logged %q, want one line", lines)
	}
}

func TestDialHonoursItsContext(t *testing.T) {
	t.Parallel()
	e, _ := start(t, newScripted(nil), Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.DialContext(ctx, "tcp", "x:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v, want context.Canceled", err)
	}
}

func TestConfigNamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := Config{
		ReplicaSet: "rs/0", OplogMaxBytes: -1, OplogMinAge: -1, MaxMemoryBytes: -1, MaxConnections: -1, MaxCursors: -1,
		Auth: true, TLS: &tls.Config{MinVersion: tls.VersionTLS13},
	}.withDefaults()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"rs/0", "OplogMaxBytes", "OplogMinAge", "MaxMemoryBytes", "MaxConnections", "MaxCursors", "Auth", "TLS"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %s is not named", err, name)
		}
	}
	cfg, err := Config{}.withDefaults()
	if err != nil || cfg.ReplicaSet != "sluice" || cfg.MaxConnections == 0 || cfg.Logger == nil {
		t.Errorf("defaults: %+v, %v", cfg, err)
	}
}
