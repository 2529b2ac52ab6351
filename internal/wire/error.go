package wire

import "fmt"

// MongoDB's codes for what can be wrong with a message.
const (
	codeOverflow           = 15
	codeProtocolError      = 17
	codeInvalidBSON        = 22
	codeBSONObjectTooLarge = 10334
	codeBadNumberToReturn  = 16979
	codeTwoBodies          = 40430
	codeDuplicateSequence  = 40431
	codeDuplicateField     = 40433
	codeNoBody             = 40587
	codeOpQueryRemoved     = 5739101
)

// Error says what is wrong with a message, and what its receiver can still do about it.
type Error struct {
	// Code is MongoDB's error code.
	Code int32
	// Reason contains nothing of the documents in the message, so it may be logged.
	Reason string
	// Cause adds what is for the sender alone, since it may name fields; nil where Reason says it all.
	Cause error

	// Answer is set when the sender waits for a reply and its request could be told: RequestID and OpCode are then those of
	// the message.
	Answer    bool
	RequestID int32
	OpCode    OpCode
	// Fatal is set when the connection cannot go on: the sender speaks the protocol wrongly, or another one.
	Fatal bool
}

// Error gives the reason and its cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Reason + ": " + e.Cause.Error()
	}
	return e.Reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// fatal makes the error for bytes after which nothing can be trusted, an answer's address included.
func fatal(format string, args ...any) *Error {
	return &Error{Code: codeProtocolError, Reason: fmt.Sprintf(format, args...), Fatal: true}
}

// malformed makes the error for a message that was cut out whole but does not follow the protocol.
func malformed(code int32, format string, args ...any) *Error {
	return &Error{Code: code, Reason: fmt.Sprintf(format, args...), Answer: true, Fatal: true}
}

// refused makes the error for a message that follows the protocol but is more, or older, than is taken here.
func refused(code int32, format string, args ...any) *Error {
	return &Error{Code: code, Reason: fmt.Sprintf(format, args...), Answer: true}
}

// withCause adds what the log must not show.
func (e *Error) withCause(err error) *Error {
	e.Cause = err
	return e
}
