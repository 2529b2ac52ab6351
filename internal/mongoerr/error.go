// Package mongoerr is the one table of MongoDB's error codes, names and labels, and the error type that carries them through
// the engine to a client. It imports the standard library only.
package mongoerr

import (
	"errors"
	"fmt"
)

// Error is an error as a client of MongoDB sees it.
type Error struct {
	Code   Code
	Msg    string
	Labels []string // labels beyond those that follow from the code
	// Extra holds further elements of the error document as BSON bytes without length and end, such as keyPattern and keyValue
	// of a duplicate key.
	Extra []byte
	// Cause is kept for logs and errors.Is; clients do not see it.
	Cause error
}

// New makes an error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// Error gives the message with the code's name before it.
func (e *Error) Error() string { return e.Code.Name() + ": " + e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// WithExtra returns a copy that carries further elements of the error document.
func (e *Error) WithExtra(elements []byte) *Error {
	c := *e
	c.Extra = elements
	return &c
}

// WithLabel returns a copy with one more label.
func (e *Error) WithLabel(label string) *Error {
	c := *e
	c.Labels = append(append([]string(nil), e.Labels...), label)
	return &c
}

// Prefix returns a copy with text before the message, as mongod adds when an error passes a boundary.
func (e *Error) Prefix(text string) *Error {
	c := *e
	c.Msg = text + e.Msg
	return &c
}

// From turns any error into one for clients: an *Error in its chain as it is, anything else as InternalError.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: InternalError, Msg: err.Error(), Cause: err}
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

// Labels that servers give and drivers act on.
const (
	LabelTransient             = "TransientTransactionError"
	LabelUnknownCommitResult   = "UnknownTransactionCommitResult"
	LabelRetryableWrite        = "RetryableWriteError"
	LabelNoWritesPerformed     = "NoWritesPerformed"
	LabelResumableChangeStream = "ResumableChangeStreamError"
	LabelNonResumableStream    = "NonResumableChangeStreamError"
)
