// Package sluice is a client for MongoDB change streams that never loses or repeats an event.
//
// [Watch] opens a stream on a collection, a database or a whole cluster of the official driver:
//
//	stream, err := sluice.Watch[Order](ctx, coll, nil, &sluice.Options{FullDocument: sluice.UpdateLookup})
//	if err != nil {
//		return err
//	}
//	defer stream.Close()
//	for event, err := range stream.All(ctx) {
//		if err != nil {
//			return err
//		}
//		order, err := event.FullDocument()
//		...
//	}
//
// # Reading
//
// [Stream.All] iterates, [Stream.Next] waits for one event, [Stream.NextBatch] for all of the server's next reply, and
// [Stream.TryNext] looks once and does not wait for events beyond one request. A context bounds the waiting only: when it
// ends, the stream lives on and the awaited event comes next. Streams may be read, asked and closed from any goroutine.
//
// So a program may look now and then, each time with a deadline, and miss nothing:
//
//	look := func() error { // between other work
//		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
//		defer cancel()
//		for {
//			event, ok, err := stream.TryNext(ctx)
//			switch {
//			case errors.Is(err, context.DeadlineExceeded), err == nil && !ok:
//				return nil // nothing more in time: the next look goes on here
//			case err != nil:
//				return err
//			}
//			handle(event)
//		}
//	}
//
// An [Event] is a view of the bytes that the server sent; its methods decode what they are asked for.
//
// # Positions
//
// A [Token] is a position: [Stream.ResumeToken] after the last event handed out, [Event.Token] after that event. Stored
// somewhere (as text, JSON or BSON), it lets another stream go on from there with [Options].StartAfter, which takes every
// token and, as the zero [Token], starts now. ResumeAfter takes all but those of invalidate events.
//
// A stream has a token as soon as it is open. Stored at once, it keeps a restart from missing what happens before the
// first event. After that store the token of each event when the event has been dealt with: a crash in between
// brings that event again (at least once), unless its effect and the token are stored together, in one transaction or
// one file. A token that is stored first loses the event to such a crash.
//
// # Failures
//
// When a connection breaks, a server steps down or a cursor is lost, the stream opens its cursor again at its position;
// readers just wait longer. [Options].Retry bounds that. What cannot pass ends the stream with an [*Error], which wraps
// the driver's error and one of [ErrHistoryLost], [ErrInvalidToken] and [ErrTooLarge] where it applies. Policies say what
// happens instead: [Options].OnInvalidate, OnHistoryLost, SplitLargeEvents.
//
// After an error of a read, [Stream.Alive] tells what has ended: true means the context, and the stream goes on with another one; false
// means the stream, and another one goes on from [Stream.ResumeToken] if all events that were handed out are dealt with.
//
// # Being told
//
// [Options].OnToken hears of each movement of the position, OnGap of events that were missed, Logger of what happens to the
// stream, and Metrics of its [Health] after each reply: lag, age of the position, resumes, the failure that lasts. Package
// sluiceprom has Metrics for Prometheus. The log holds codes and names, never tokens, documents or texts of the server.
//
// # Time limits
//
// No limit of the caller's reaches the server: a context ends the caller's wait alone, and MaxAwaitTime may be longer than
// any deadline. A Timeout of the client does not end a stream either, but lets the driver, which resumes by itself before
// the stream does, retry without pauses while it lasts.
//
// # The end
//
// Close streams, then disconnect their client, then close the engine, if it is one of the process's own. With defer that
// is so by itself, when each is deferred as it is opened.
//
// # Many streams
//
// A stream that waits holds one connection of its client's pool for as long as the server waits. A client with more
// streams than MaxPoolSize (100 by default) makes them, and its other commands, queue for connections: raise it.
//
// # What lives here
//
// This package holds the client alone and needs nothing but a server, real or the one in the engine package, which it
// never imports.
package sluice
