package sluice

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// cursor is an open change stream cursor, as little of it as the machine needs. It belongs to one goroutine.
//
// Events come in two steps, so that a large batch can be handed on in pieces: more talks to the server and says how
// many events wait, take hands them out without I/O. more is only called when nothing waits.
type cursor interface {
	// more sends at most one getMore. Failures are *cursorError. It never blocks longer than ctx lives.
	more(ctx context.Context) error
	// waiting returns how many events wait to be taken; right after opening, those of the first batch.
	waiting() int
	// take appends up to n of the waiting events to dst. Each has a resume token, else the error is errNoToken.
	take(dst []bson.Raw, n int) ([]bson.Raw, error)
	// batchToken returns the server's token for the end of the last reply, zero if the reply had none. It is valid
	// when nothing waits.
	batchToken() Token
	// alive reports whether the server still has the cursor.
	alive() bool
	// resumes counts how often the cursor was replaced by another one underneath.
	resumes() uint64
	// serverTime returns the server's newest operation time, zero if it is not known.
	serverTime() bson.Timestamp
	// close kills the cursor on the server, as far as ctx allows, and frees what belongs to it.
	close(ctx context.Context)
}

// source opens cursors for one stream.
type source interface {
	// open opens a cursor at a position; ctx bounds only that. Errors are the driver's.
	open(ctx context.Context, from position, with cursorSettings) (cursor, error)
	// close frees what the cursors had in common. All of them are closed before.
	close()
}

// cursorSettings are the options that can change while a stream is open.
type cursorSettings struct {
	maxAwait  time.Duration
	batchSize int32
}

// resizable is a cursor whose batch size can be changed. One that cannot is opened again instead.
type resizable interface{ setBatchSize(n int32) }

// mortalContext makes the driver stop at once when its context has ended. The driver takes a dead context for a failure
// that it can resume from and starts two more commands, killCursors and aggregate, which it announces to command
// monitors before it notices. A deadline that has passed is what it looks at first.
type mortalContext struct{ context.Context }

func (c mortalContext) Deadline() (time.Time, bool) {
	if c.Err() != nil {
		return time.Unix(0, 0), true
	}
	return c.Context.Deadline()
}
