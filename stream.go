package sluice

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Stream is an open change stream. T is the type that FullDocument decodes documents into.
//
// All methods may be called from any goroutine at any time. With several readers each event goes to exactly one of
// them; events carry their token, which is how such readers tell the position. A context that ends returns its error
// and costs nothing: the stream stays usable, and the event that was awaited comes next. A final error is returned
// again by every later call, after the events that were received before it.
type Stream[T any] struct {
	m *machine
}

// Next returns the next event, and waits for it as long as ctx lives. When ctx ends first, or has ended before, it returns
// ctx's error and nothing is lost: the same stream goes on, and the next call of any kind, with another context, gets the event. It
// returns io.EOF at the end of an invalidated stream, ErrClosed after Close, or a final *Error, which is never
// context.DeadlineExceeded or context.Canceled. Failures that may pass are not returned: the stream resumes as
// Options.Retry allows.
func (s *Stream[T]) Next(ctx context.Context) (Event[T], error) {
	event, err := s.m.receive(ctx, wantNext, nil)
	return Event[T]{raw: event}, err
}

// TryNext returns the next event if one was received already and ctx has not ended. Otherwise it sends one getMore, which takes
// Options.MaxAwaitTime at most when nothing happens, and returns the first event that brings, or false and nil if there
// is nothing now. A ctx with a deadline bounds it further and costs nothing, as with Next: after
// context.DeadlineExceeded the getMore goes on, and the next call takes what it brought, or joins it if it is still under
// way. So a loop may poll with a new context each time, also with less time than MaxAwaitTime. During an outage TryNext
// waits for the next attempt to resume instead, which may take the client's server selection timeout (30 s by default)
// or, after several failures, Retry.MaxBackoff. Errors are those of Next.
func (s *Stream[T]) TryNext(ctx context.Context) (Event[T], bool, error) {
	event, err := s.m.receive(ctx, wantTry, nil)
	return Event[T]{raw: event}, event != nil, err
}

// NextBatch returns all events of the server's next reply that were not handed out yet, at least one, and waits as Next
// does. Errors are those of Next.
func (s *Stream[T]) NextBatch(ctx context.Context) ([]Event[T], error) {
	var events []Event[T]
	_, err := s.m.receive(ctx, wantBatch, func(raws []bson.Raw) {
		events = make([]Event[T], len(raws))
		for i, raw := range raws {
			events[i] = Event[T]{raw: raw}
		}
	})
	return events, err
}

// All iterates over the events, waiting for them as Next does. The iteration ends silently at the end of an invalidated
// stream and when the stream is closed; any other error, ctx's too, is yielded once, and then it ends. Leaving the loop
// closes nothing: the next read goes on with the next event.
func (s *Stream[T]) All(ctx context.Context) iter.Seq2[Event[T], error] {
	return func(yield func(Event[T], error) bool) {
		for {
			event, err := s.Next(ctx)
			if errors.Is(err, io.EOF) || errors.Is(err, ErrClosed) {
				return
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// Alive reports whether more may come: false after Close, and, once all received events are handed out, after the end of
// an invalidated stream or a final error. During an outage it is true.
func (s *Stream[T]) Alive() bool { return s.m.alive() }

// ResumeToken returns the position after the last event handed out; once the events of a reply are handed out, the
// reply's own token, which may be later. Replies without events move it too. Before all that it is the start token, if
// one was given, else the position at which the stream was opened; zero if the server did not tell that, or sent events
// with its first reply (after StartAtOperationTime, for instance): until the first of them is handed out. It works after
// a failure and after Close, too.
//
// Store it as soon as the stream is open, not only with the first event: a program that goes on from it after a restart
// has missed nothing in between.
func (s *Stream[T]) ResumeToken() Token { return s.m.position() }

// Health returns the state of the stream at this moment.
func (s *Stream[T]) Health() Health { return s.m.health() }

// SetBatchSize changes Options.BatchSize for the next getMore and all later ones. Negative numbers count as 0.
func (s *Stream[T]) SetBatchSize(n int32) {
	s.m.change(func(settings *cursorSettings) { settings.batchSize = max(n, 0) })
}

// SetMaxAwaitTime changes Options.MaxAwaitTime. The driver cannot change it for an open cursor, so before the next
// getMore the cursor is opened again at the position, once. Negative durations count as 0.
func (s *Stream[T]) SetMaxAwaitTime(d time.Duration) {
	s.m.change(func(settings *cursorSettings) { settings.maxAwait = ceilMillisecond(max(d, 0)) })
}

// Close ends the stream: readers that wait return ErrClosed at once, events that were not handed out are dropped, and
// the cursor is killed on the server, which takes 5 s at most and is not reported if it fails. When Close returns,
// nothing of the stream is running any more. It may be called any number of times and returns nil.
//
// Close streams first, then disconnect their client, then close the engine, if there is one. A stream whose client goes
// first ends with an *Error that is mongo.ErrClientDisconnected, and its cursor stays with the server until that gives
// it up; a Disconnect with a deadline waits for the stream's getMore up to that deadline.
func (s *Stream[T]) Close() error {
	s.m.handover.close()
	s.m.cancel()
	<-s.m.done
	return nil
}
