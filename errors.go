package sluice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

var (
	// ErrClosed is what readers get after Close.
	ErrClosed = errors.New("sluice: stream is closed")

	// ErrNoDocument tells that an event does not carry what was asked for.
	ErrNoDocument = errors.New("sluice: event carries no such document")

	// ErrHistoryLost tells that events after the position are gone from the server's oplog (codes 286, 136).
	// Options.OnHistoryLost says what a stream does then.
	ErrHistoryLost = errors.New("sluice: history lost")

	// ErrInvalidToken tells that a position cannot be used: unreadable, of another stream or pipeline, or of an
	// invalidate event where only StartAfter would do (codes 260, 280 and those of malformed tokens). It is also what
	// a pipeline gets that removes or changes the events' _id, for that is their token.
	ErrInvalidToken = errors.New("sluice: invalid resume token")

	// ErrTooLarge tells that an event is larger than a document may be (code 10334). Error.Token is the position
	// before it. It may come from Watch, too, when the event is the first one: then Error.Token is the token that the
	// stream was to start after, zero if there was none. See Options.SplitLargeEvents.
	ErrTooLarge = errors.New("sluice: event too large")
)

// Error is a failure of a stream. errors.Is finds its sentinel (such as ErrHistoryLost) and the driver's error,
// errors.As the driver's mongo.CommandError and mongo.ServerError.
type Error struct {
	Op        string    // what failed: "watch" (arguments), "open", "resume" or "getMore"
	Namespace Namespace // what is watched
	Code      int32     // the server's error code; 0 if it was not the server that failed
	Name      string    // the server's name for the code
	Labels    []string  // the server's error labels
	Token     Token     // position after the last event that was received, to go on from; zero if there is none
	Err       error     // the cause, the driver's error as a rule

	sentinel error  // one of the Err variables, or nil
	hint     string // what to do
}

// Error says what failed, where, why, and, where the caller can act, what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("sluice: ")
	b.WriteString(e.Op)
	if ns := e.Namespace.String(); ns != "" {
		b.WriteString(" " + ns)
	}
	if e.sentinel != nil {
		b.WriteString(": " + strings.TrimPrefix(e.sentinel.Error(), "sluice: "))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (code %d)", e.Code)
	}
	if e.hint != "" {
		b.WriteString("; " + e.hint)
	}
	return b.String()
}

// Unwrap returns the sentinel, if there is one, and the cause. What is found in the cause is never io.EOF, which a
// connection that was closed gives, nor, except when a stream is opened, an error of a context: from a stream these mean
// that it has ended, and that the caller's context has.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.sentinel != nil {
		errs = append(errs, e.sentinel)
	}
	if e.Err != nil {
		errs = append(errs, &concealing{e.Err, e.Op == opOpen})
	}
	return errs
}

// concealing is an error that does not own up to everything that it wraps.
type concealing struct {
	err      error
	contexts bool // errors of contexts may be found
}

func (c *concealing) Error() string { return c.err.Error() }

func (c *concealing) Is(target error) bool {
	switch target {
	case io.EOF:
		return false
	case context.Canceled, context.DeadlineExceeded:
		if !c.contexts {
			return false
		}
	}
	return errors.Is(c.err, target)
}

func (c *concealing) As(target any) bool { return errors.As(c.err, target) }

// The values of Error.Op.
const (
	opWatch   = "watch"
	opOpen    = "open"
	opResume  = "resume"
	opGetMore = "getMore"
)

// cause describes a failure for the log: a server's error by its code and name alone, for its text may quote tokens and
// documents.
func cause(err error) slog.Attr {
	if ce, ok := errors.AsType[mongo.CommandError](err); ok && ce.Code != 0 {
		return slog.Group("error", slog.Int("code", int(ce.Code)), slog.String("name", ce.Name))
	}
	return slog.String("error", err.Error())
}

// newError describes a failure for the caller.
func newError(op string, ns Namespace, pos position, err error) *Error {
	e := &Error{Op: op, Namespace: ns, Token: pos.token, Err: err}
	if ce, ok := errors.AsType[mongo.CommandError](err); ok {
		e.Code, e.Name, e.Labels = ce.Code, ce.Name, ce.Labels
	}
	e.hint, e.sentinel = diagnose(err, pos)
	return e
}
