package sluice

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Server error codes that decide what a stream does next.
const (
	codeFailedToParse     = 9
	codeUnauthorized      = 13
	codeOverflow          = 15
	codeCursorNotFound    = 43
	codeMaxTimeMSExpired  = 50
	codeCappedPosition    = 136 // the cursor fell off the end of the oplog
	codeInvalidToken      = 260
	codeStreamFatal       = 280
	codeHistoryLost       = 286
	codeTooLarge          = 10334
	codeUnknownStage      = 40324
	codeNotReplicaSet     = 40573
	codeCannotSplitField  = 7182500
	codeCannotSplitIDOnly = 7182502
)

// openingCodes are the server errors after which opening a cursor is tried again: those that drivers retry reads and
// resume streams on, and keys that a new primary does not have yet (211).
var openingCodes = []int32{
	6, 7, 63, 89, 91, 133, 134, 150, 189, 202, 211, 234, 262, 402, 9001, 10107, 11600, 11602, 13388, 13435, 13436,
}

// refusingCodes are the errors of a node that recovers, is no member that can be read, or shuts down. It refuses a getMore
// before it looks at what the cursor is, so the label of errors to resume from is missing; another node will serve.
var refusingCodes = []int32{91, 189, 11600, 11602, 13435, 13436}

// tokenCodes are the errors of servers that cannot read a token.
var tokenCodes = []int32{
	codeFailedToParse, codeOverflow, 40646, 40647, 40648, 40649, 50793, 50794, 50795, 50796, 50854, 50855, 50865, 50870,
	50872, 51055, 51056, 51057, 6189500, 6189501, 6189503, 6189504, 7182501,
}

const (
	labelNetwork   = "NetworkError"
	labelResumable = "ResumableChangeStreamError"
	labelRetryable = "RetryableError" // of a server that is overloaded
)

var (
	// errElsewhere tells that the driver opened its cursor again from another position than the stream's, so that what
	// it brought cannot be used. The machine opens again from the right one.
	errElsewhere = errors.New("the driver resumed from another position")

	// errNoToken tells that an event has no resume token.
	errNoToken = fmt.Errorf("event without resume token: %w", mongo.ErrMissingResumeToken)

	// errUnsteady ends a stream whose cursor dies again and again right after it was opened.
	errUnsteady = errors.New("the cursor dies again and again after it was opened")

	// errNoPosition tells that a cursor died before the server gave any position to go on from.
	errNoPosition = errors.New("the server gave neither a token nor an operation time to go on from")

	// errCutShort tells that a cursor ended between the fragments of an event.
	errCutShort = errors.New("the cursor ended in the middle of a large event")
)

// cursorError is a failure of a cursor. opening tells that it was the aggregate that opens a cursor which failed, not
// a getMore: the two are judged by different rules.
type cursorError struct {
	err     error
	opening bool
}

func (e *cursorError) Error() string { return e.err.Error() }
func (e *cursorError) Unwrap() error { return e.err }

// passing reports whether a failure may pass, so that opening again from the position makes sense. For getMore the
// rules are those of the change streams specification, network errors, code 43 and the server's label, and beyond them
// what a node says that cannot serve anybody now. An aggregate that fails while the stream resumes is judged more kindly,
// since a server in an election gives many an error.
func passing(err error, opening bool) bool {
	for _, final := range []error{errFragment, errNoToken, mongo.ErrMissingResumeToken, mongo.ErrClientDisconnected, mongo.ErrNilValue} {
		if errors.Is(err, final) {
			return false
		}
	}
	if isSessionEnded(err) {
		return false
	}
	if _, ok := errors.AsType[mongo.MarshalError](err); ok {
		return false
	}
	ce, ok := errors.AsType[mongo.CommandError](err)
	if !ok || ce.Code == 0 {
		return true // the driver's own: server selection, connection pool, timeout, network
	}
	if slices.ContainsFunc([]string{labelNetwork, labelResumable, labelRetryable}, ce.HasErrorLabel) {
		return true
	}
	if ce.Code == codeCursorNotFound || ce.Code == codeMaxTimeMSExpired {
		return true
	}
	return slices.Contains(refusingCodes, ce.Code) || opening && slices.Contains(openingCodes, ce.Code)
}

// isSessionEnded recognises an error that the driver does not export.
func isSessionEnded(err error) bool { return strings.Contains(err.Error(), "ended session was used") }

// noServerFound recognises another one: nobody was there to send the command to.
func noServerFound(err error) bool { return strings.Contains(err.Error(), "server selection error") }

// sessionsUnsupported recognises a third one.
func sessionsUnsupported(err error) bool {
	return strings.Contains(err.Error(), "current topology does not support sessions")
}

// engineNotDialled recognises the host of an engine without listeners, which no network finds.
func engineNotDialled(err error) bool { return strings.Contains(err.Error(), "lookup sluice.invalid") }

// diagnose finds what the caller can do about a failure, and the sentinel for it.
func diagnose(err error, pos position) (hint string, sentinel error) {
	if errors.Is(err, errNoToken) || errors.Is(err, mongo.ErrMissingResumeToken) {
		return "the pipeline must leave the events' _id as it is", ErrInvalidToken
	}
	if errors.Is(err, errFragment) {
		return "a stream goes on from tokens of whole events alone: those of Event.Token and Stream.ResumeToken with Options.SplitLargeEvents", ErrInvalidToken
	}
	if errors.Is(err, errNoPosition) {
		return "see Options.OnHistoryLost", ErrHistoryLost
	}
	if engineNotDialled(err) {
		return "this engine listens nowhere: connect with options.Client().SetDialer(engine), or let it Listen first", nil
	}
	if isSessionEnded(err) {
		return "Options.Session must not be ended before the stream is closed", nil
	}
	ce, ok := errors.AsType[mongo.CommandError](err)
	if !ok {
		return "", nil
	}
	switch {
	case ce.Code == codeHistoryLost, ce.Code == codeCappedPosition, ce.Code == codeStreamFatal && historyIsGone(ce.Message):
		return historyHint(pos), ErrHistoryLost
	case ce.Code == codeStreamFatal && notFound(ce.Message):
		return "the token belongs to another stream, or its event does not pass this pipeline", ErrInvalidToken
	case ce.Code == codeStreamFatal:
		return "", ErrInvalidToken
	case ce.Code == codeInvalidToken && !pos.startAfter:
		return "the token of an invalidate event goes into Options.StartAfter", ErrInvalidToken
	case ce.Code == codeInvalidToken:
		return "the token belongs to another kind of stream", ErrInvalidToken
	case !pos.token.IsZero() && slices.Contains(tokenCodes, ce.Code):
		return "", ErrInvalidToken
	case ce.Code == codeTooLarge, ce.Code == codeCannotSplitField, ce.Code == codeCannotSplitIDOnly:
		return "see Options.SplitLargeEvents, or let the pipeline remove large fields", ErrTooLarge
	case ce.Code == codeNotReplicaSet:
		return "change streams need a replica set (one node is enough) or a sharded cluster", nil
	case ce.Code == codeUnauthorized:
		return "watching takes the privileges changeStream and find", nil
	}
	return "", nil
}

func historyHint(pos position) string {
	const see = "see Options.OnHistoryLost"
	at, ok := pos.when()
	if !ok {
		return "the oplog no longer reaches back to the position; " + see
	}
	return fmt.Sprintf("the oplog no longer reaches back to %s; %s", time.Unix(int64(at.T), 0).UTC().Format(time.RFC3339), see)
}

// historyIsGone and notFound read the text of error 280, which stands for several things.
func historyIsGone(message string) bool {
	return strings.Contains(message, "no longer be in the oplog") || strings.Contains(message, "history")
}

func notFound(message string) bool { return strings.Contains(message, "resume token was not found") }

// positionLost reports whether the policy for lost history applies: the events are gone, or the position cannot be
// found any more and no retry will heal that.
func positionLost(err error) bool {
	if errors.Is(err, errNoPosition) {
		return true
	}
	ce, ok := errors.AsType[mongo.CommandError](err)
	if !ok {
		return false
	}
	switch ce.Code {
	case codeHistoryLost, codeCappedPosition:
		return true
	case codeStreamFatal:
		return historyIsGone(ce.Message) || notFound(ce.Message)
	default:
		return false
	}
}
