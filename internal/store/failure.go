package store

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// failure is the fail-stop switch: the first storage error closes it, and nothing is acknowledged or served afterwards. Pebble
// may otherwise go on applying what it could not log.
type failure struct {
	once sync.Once
	ch   chan struct{}
	err  error // set before ch is closed
	log  *slog.Logger
}

func newFailure(log *slog.Logger) *failure {
	return &failure{ch: make(chan struct{}), log: log}
}

// set records the first failure.
func (f *failure) set(err error) {
	f.once.Do(func() {
		f.err = err
		close(f.ch)
		f.log.Error("storage failed: nothing is written or served any more", "error", err)
	})
}

// get returns the failure as clients see it, or nil.
func (f *failure) get() error {
	select {
	case <-f.ch:
		return &mongoerr.Error{Code: mongoerr.InternalError, Msg: "storage failed, the server is stopping: " + f.err.Error(), Cause: f.err}
	default:
		return nil
	}
}

// guard turns a panic of Pebble, which is how some of its write errors come, into a failure.
func (f *failure) guard(err *error) {
	if r := recover(); r != nil {
		cause, ok := r.(error)
		if !ok {
			cause = fmt.Errorf("%v", r)
		}
		f.set(cause)
		*err = f.get()
	}
}

// pebbleLogger is Pebble's logger: it never ends the process, which is the host's and not ours to end.
type pebbleLogger struct{ failed *failure }

func (l pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.failed.log.Warn("storage", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.failed.set(fmt.Errorf(format, args...))
}

// Failed is closed when the storage has failed and the store has stopped; Err then tells why.
func (r reader) Failed() <-chan struct{} { return r.failed.ch }

// Err returns the failure of the storage, or nil.
func (r reader) Err() error {
	if r.failed.get() == nil {
		return nil
	}
	return r.failed.err
}
