package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
)

// idleSaveInterval is how often the position is saved when it moves without events.
const idleSaveInterval = 10 * time.Second

// errReaderStuck tells that nobody took what was written before it was time to end.
var errReaderStuck = errors.New("nobody takes the output")

// errReaderGone tells that nobody reads the output any more, as after `sluice watch | head`.
var errReaderGone = errors.New("nobody reads the output any more")

// follower prints the events of a stream.
type follower struct {
	stream *sluice.Stream[bson.Raw]
	render func(event) ([]byte, error)
	out    io.Writer
	heard  func(sluice.Health) // nil, or told how the stream is before events are rendered
	stats  *statistics         // nil: nobody wants any
	keeper keeper              // nil: the position is not kept
	idle   time.Duration       // how often an idle position is saved
}

// keeper keeps a position until the next run.
type keeper interface {
	save(position sluice.Token) error
}

// run prints events until ctx ends, which is no error, or the stream does (io.EOF), or something fails. The position is
// saved after the events of each of the server's replies: by then they are printed, and as many events as come at once
// cost one write to the disk.
func (f *follower) run(ctx context.Context) error {
	// From the very start, so that a run that is killed before its first event loses nothing either.
	if err := f.keep(f.stream.ResumeToken(), nil); err != nil {
		return err
	}
	for {
		events, err := f.next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = nil
			}
			return f.keep(f.stream.ResumeToken(), err)
		}
		if f.heard != nil && len(events) > 0 {
			f.heard(f.stream.Health())
		}
		for i, e := range events {
			if err := f.print(e); err != nil {
				if i == 0 {
					return err
				}
				return f.keep(events[i-1].Token(), err)
			}
		}
		if err := f.keep(f.stream.ResumeToken(), nil); err != nil {
			return err
		}
	}
}

// next waits for events. Without any it returns none after a while, if there is a position to be saved.
func (f *follower) next(ctx context.Context) ([]event, error) {
	if f.keeper == nil {
		return f.stream.NextBatch(ctx)
	}
	waiting, cancel := context.WithTimeout(ctx, f.idle)
	defer cancel()
	events, err := f.stream.NextBatch(waiting)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return nil, nil
	}
	return events, err
}

// keep saves the position if it is to be kept. It returns err, and what kept it from saving.
func (f *follower) keep(position sluice.Token, err error) error {
	if f.keeper == nil {
		return err
	}
	failure := f.keeper.save(position)
	if err != nil && failure != nil {
		return fmt.Errorf("%w; %w", err, failure)
	}
	return cmp.Or(err, failure)
}

func (f *follower) print(e event) error {
	text, err := f.render(e)
	if err != nil {
		return err
	}
	if _, err = f.out.Write(text); err == nil {
		if f.stats != nil {
			f.stats.count(e)
		}
		return nil
	}
	if readerGone(err) {
		return errReaderGone
	}
	return fmt.Errorf("write to standard output: %w", err)
}
