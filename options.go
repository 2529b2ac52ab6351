package sluice

import (
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Options say where a stream starts, what its events carry, and what it does when something goes wrong. The zero value
// of each field is MongoDB's default; a nil *Options means all of them. Watch copies the struct and names every problem
// of it in one error before it talks to the server.
type Options struct {
	// FullDocument says which document update events carry; default: none. Insert and replace events always carry theirs.
	FullDocument FullDocument

	// FullDocumentBeforeChange says whether events carry the document as it was before; default: no. The collection must keep
	// pre-images (changeStreamPreAndPostImages); MongoDB 6.0 and later.
	FullDocumentBeforeChange FullDocumentBeforeChange

	// StartAfter starts after the event or position that the token marks, whatever that is: prefer it to ResumeAfter. At
	// most one of ResumeAfter, StartAfter and StartAtOperationTime may be given; without any the stream starts now. The
	// zero Token is none, here and in ResumeAfter, so that a program's first run, which has no token yet, needs no other
	// code.
	StartAfter Token

	// ResumeAfter does the same, but the server refuses the token of an invalidate event (ErrInvalidToken). It is for
	// programs that must not go on behind one unnoticed, and for servers before MongoDB 4.2, which have no StartAfter. Zero: none.
	ResumeAfter Token

	// StartAtOperationTime starts at a point of the oplog, inclusive. It may lie in the future. Zero: none.
	StartAtOperationTime bson.Timestamp

	// MaxAwaitTime is how long the server waits for an event before it answers one getMore with nothing. It bounds
	// neither Next nor anything else the caller sees, except how long one TryNext may take. In milliseconds, rounded
	// up; 0: the server's default, 1 s.
	MaxAwaitTime time.Duration

	// BatchSize is the largest number of events in one reply; 1 is 1. 0: as many as the server puts into 16 MiB (101
	// in the first reply).
	BatchSize int32

	// Collation is for the comparisons of the caller's pipeline. nil: simple binary comparison, whatever the
	// collection's own is.
	Collation *options.Collation

	// Comment is any BSON value; it shows up in the server's log, profiler and currentOp, for every command. nil: none.
	Comment any

	// Session is used for every command. It must belong to the target's client, must not be ended before the stream is
	// closed, and must not be used for anything else meanwhile: a mongo.Session is not safe for concurrent use.
	// nil: the session in Watch's context, if there is one, else a session of the stream's own.
	Session *mongo.Session

	// ShowExpandedEvents asks for create, createIndexes, dropIndexes and modify events too, and for more details on the
	// others. MongoDB 6.0 and later.
	ShowExpandedEvents bool

	// SplitLargeEvents asks the server to split events that are larger than a BSON document may be, 16 MiB, and puts
	// the fragments together again, so that the caller sees one event whatever its size. The stage that does so is
	// appended to the pipeline. Servers that do not know it (before 6.0.9) are used without; there, and without this
	// option, such an event ends the stream, or the attempt to open one right before it, with ErrTooLarge, whose Error.Token is the position to go on from with a
	// pipeline that removes large fields. The token of an event that was split is good for streams with the same options.
	SplitLargeEvents bool

	// ReadAhead bounds how much is fetched before it is asked for; default: one batch, at most 32 MiB.
	ReadAhead ReadAhead

	// Retry bounds the attempts to open the cursor again after a failure; default: no limit, with pauses of 50 ms to 10 s.
	Retry Retry

	// OnInvalidate says what happens after an invalidate event, EndOnInvalidate or ContinueOnInvalidate, also where the pipeline
	// lets no such event through; default: the stream ends.
	OnInvalidate InvalidatePolicy

	// OnHistoryLost says what happens when the server's oplog no longer reaches back to the stream's position, or does not
	// have it: FailOnHistoryLost, RestartNow or RestartAtTime; default: the stream ends with ErrHistoryLost, or ErrInvalidToken.
	OnHistoryLost HistoryLostPolicy

	// RestartAt is where RestartAtTime restarts; it belongs to that policy alone, which has no default. A time before the
	// stream's position brings events again.
	RestartAt bson.Timestamp

	// OnGap is called when events were missed for certain or possibly, before the first event after the gap is handed
	// out. Like OnToken it runs on the goroutine that reads, one call at a time, inside of its Next, TryNext,
	// NextBatch or All; it must not read from the stream itself, all else is allowed. A panic in it goes to that reader,
	// whose event counts as handed out.
	OnGap func(Gap)

	// OnToken is called when the position moved: after an event was taken and before it is returned, so the token is
	// not yet that of an event that was dealt with, and when an idle reply of the server moved it. See OnGap for the
	// goroutine.
	OnToken func(Token)

	// Logger gets what happens to the stream (not to its events; never contents of documents). nil: nothing is logged.
	Logger *slog.Logger

	// Metrics gets the stream's state after each reply of the server and each failure. nil: none.
	Metrics Metrics
}

// FullDocument says which document update events carry.
type FullDocument string

// The modes of Options.FullDocument.
const (
	DefaultDocument FullDocument = ""              // none
	UpdateLookup    FullDocument = "updateLookup"  // the current one when the event is read: maybe newer than the event; null if deleted
	WhenAvailable   FullDocument = "whenAvailable" // the one right after the change, if the collection kept images; else null
	Required        FullDocument = "required"      // the same, and an error if it is not there
)

// FullDocumentBeforeChange says whether events carry the document as it was before the change.
type FullDocumentBeforeChange string

// The modes of Options.FullDocumentBeforeChange.
const (
	BeforeOff           FullDocumentBeforeChange = ""              // none; "off" is the same, but sent, which servers before 6.0 refuse
	BeforeWhenAvailable FullDocumentBeforeChange = "whenAvailable" // if the collection kept it; else null
	BeforeRequired      FullDocumentBeforeChange = "required"      // the same, and an error if it is not there
)

// InvalidatePolicy says what happens after an invalidate event: the watched collection was dropped or renamed, or the
// watched database dropped.
type InvalidatePolicy int

// The policies of Options.OnInvalidate.
const (
	EndOnInvalidate      InvalidatePolicy = iota // the stream ends with io.EOF, after the event if the pipeline lets it through
	ContinueOnInvalidate                         // the event is handed out if the pipeline lets it through, then the stream goes on after it, with what comes under the same name
)

// HistoryLostPolicy says what happens when the events after the stream's position are gone from the server's oplog, or
// the position itself cannot be found there.
type HistoryLostPolicy int

// The policies of Options.OnHistoryLost. The restarts always report a Gap.
const (
	FailOnHistoryLost HistoryLostPolicy = iota // the stream ends with ErrHistoryLost
	RestartNow                                 // goes on with the changes from now on
	RestartAtTime                              // goes on from Options.RestartAt; if that is gone too, ErrHistoryLost
)

// Retry bounds the attempts to open the cursor again. Between attempts the stream waits, twice as long each time,
// jittered so that many streams do not come back at once.
type Retry struct {
	MaxElapsed time.Duration // after so long an outage the stream ends with the last error; 0: no limit. The first attempt is the driver's own and may take its server selection timeout
	MinBackoff time.Duration // the first wait; 0: 50 ms
	MaxBackoff time.Duration // the longest wait; 0: 10 s
}

// ReadAhead bounds what is fetched before it is asked for. Once the last event of a batch has been handed out by Next,
// NextBatch or All, the next batch is fetched; behind a batch of 64 KiB or more, which means a backlog, already when its
// first event has been handed out by Next or All. So the server works while the caller does. One batch is held until
// it is asked for, and never a second one.
//
// TryNext asks for nothing ahead. But one reply may bring several events, and a request goes on when the context of the
// call that made it ends (that of a TryNext may even be sent afterwards, when an outage is over): what they bring is held
// too (Health.Buffered) until later calls take it, which costs no request.
type ReadAhead struct {
	Off      bool // fetch only when a caller waits
	MaxBytes int  // nothing is fetched ahead after a batch of more bytes than this; 0: 32 MiB, which no single reply reaches
}

const (
	defaultMinBackoff     = 50 * time.Millisecond
	defaultMaxBackoff     = 10 * time.Second
	defaultReadAheadBytes = 32 << 20
)
