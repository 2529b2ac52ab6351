package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/engine"
)

// watchCommand is `sluice watch`. Its help texts are the reference of its flags.
type watchCommand struct {
	URI string `arg:"" optional:"" name:"uri" help:"Server to watch, as mongodb://... or mongodb+srv://...; without it, an engine of its own."`

	DB       string `name:"db" placeholder:"D" help:"Watch one database; default: the whole cluster."`
	Coll     string `name:"coll" placeholder:"C" help:"Watch one collection of --db."`
	Pipeline string `placeholder:"JSON" help:"Stages that events pass, as an Extended JSON array; - reads it from standard input."`
	JSON     bool   `name:"json" help:"Print each event as a line of canonical Extended JSON."`
	Stats    bool   `help:"Tell on standard error every 10 s, and at the end: events, rate, lag, resumes."`

	FullDocument             string `placeholder:"M" default:"default" enum:"default,updateLookup,whenAvailable,required" help:"Document that update events carry: default (none), updateLookup, whenAvailable or required."`
	FullDocumentBeforeChange string `placeholder:"M" default:"off" enum:"off,whenAvailable,required" help:"Document before the change: off, whenAvailable or required."`
	ShowExpandedEvents       bool   `help:"Also create, createIndexes, dropIndexes and modify events, and more details."`

	ResumeFile           string        `placeholder:"F" group:"start" help:"Keep the position in this file, and go on from it at the next start."`
	ResumeAfter          tokenFlag     `placeholder:"TOKEN" group:"start" help:"Start after this token, as JSON or as the digits of its _data."`
	StartAfter           tokenFlag     `placeholder:"TOKEN" group:"start" help:"The same, also after an invalidate event."`
	StartAtOperationTime timestampFlag `placeholder:"S,I" group:"start" help:"Start at this operation time: seconds since 1970, increment."`

	BatchSize    int32         `placeholder:"N" group:"server" help:"Most events in one reply of the server; default: its choice."`
	MaxAwaitTime time.Duration `placeholder:"D" group:"server" help:"How long the server waits for events before it answers; default: 1s."`
	Collation    collationFlag `placeholder:"JSON" group:"server" help:"Collation for the pipeline's comparisons."`
	Comment      commentFlag   `placeholder:"JSON" group:"server" help:"Comment for the server's log and profiler: JSON or plain text."`

	Demo   bool   `group:"engine" help:"Write a small order book, so that there is something to see."`
	Dir    string `placeholder:"DIR" group:"engine" help:"Keep the data in this folder; default: in memory, gone at the end."`
	Listen string `placeholder:"HOST:PORT" group:"engine" help:"Address for other clients; default: 127.0.0.1:27017, or a free port when that is taken."`
}

// Run watches until it is told to stop.
func (c *watchCommand) Run(ctx context.Context, p *process) error {
	opts, stages, err := c.check(p)
	if err != nil {
		return err
	}
	var file *resumeFile
	if c.ResumeFile != "" {
		if file, err = openResumeFile(c.ResumeFile); err != nil {
			return err
		}
		opts.StartAfter = file.saved // which also takes the token of an invalidate event
	}
	opts.Metrics = &reconnects{notef: p.notef, now: time.Now}
	src, err := c.open(ctx, p, engine.Config{Dir: c.Dir, Logger: newWarner(p.stderr)})
	if err != nil {
		return unlessStopped(ctx, err)
	}
	err = c.follow(ctx, p, src, stages, opts, file)
	if failure := src.close(); failure != nil {
		return failure // why the rest failed too
	}
	return err
}

// open opens what is to be watched, and tells how an engine of our own is reached.
func (c *watchCommand) open(ctx context.Context, p *process, cfg engine.Config) (*source, error) {
	if c.URI != "" {
		return connect(c.URI)
	}
	src, err := embed(ctx, cfg, c.Listen)
	if err != nil {
		return nil, err
	}
	kept := "in memory, gone when this ends (--dir DIR keeps it)"
	if c.Dir != "" {
		kept = "in " + c.Dir
	}
	p.notef("engine started, its data %s", kept)
	p.notef("connect any MongoDB client to %s", src.engine.URI())
	return src, nil
}

// follow opens the stream and prints its events. However that ends, everything that it started has ended when it
// returns.
func (c *watchCommand) follow(ctx context.Context, p *process, src *source, stages []bson.Raw, opts *sluice.Options, file *resumeFile) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel(nil)
	tasks.Go(func() {
		select {
		case <-src.stopped():
			cancel(errEngineStopped)
		case <-ctx.Done():
		}
	})
	stream, err := sluice.Watch[bson.Raw](ctx, c.target(src), stages, opts)
	if err != nil {
		return c.ended(ctx, p, unlessStopped(ctx, err))
	}
	defer closeStream(stream)
	p.notef("watching %s; Ctrl-C stops", c.scope())
	if c.Demo {
		orders := src.client.Database(cmp.Or(c.DB, "demo")).Collection(cmp.Or(c.Coll, "orders"))
		tasks.Go(func() {
			if err := newDemo(orders).run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	f := &follower{stream: stream, render: renderJSON, out: &output{ctx: ctx, to: p.stdout}, idle: idleSaveInterval}
	if file != nil {
		f.keeper = file
	}
	if !c.JSON {
		text := newTextRenderer(p.stdout, p.getenv)
		f.render, f.heard = text.render, text.heard
	}
	if c.Stats {
		f.stats = newStatistics(p.notef, stream.Health)
		tasks.Go(func() { f.stats.run(ctx) })
		defer func() { f.stats.tell(time.Now(), true) }()
	}
	return c.ended(ctx, p, f.run(ctx))
}

// errEngineStopped tells that the engine of our own serves no more. Closing it tells why.
var errEngineStopped = errors.New("the engine has stopped")

// ended turns the reason why watching ended into the command's result.
func (c *watchCommand) ended(ctx context.Context, p *process, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause != nil && !errors.Is(cause, context.Canceled):
		return cause
	case err == nil, errors.Is(err, errReaderGone), errors.Is(err, errReaderStuck):
		return nil
	case errors.Is(err, io.EOF):
		p.notef("the end: %s was dropped or renamed; start again to watch what comes under its name", c.scope())
		return nil
	default:
		return c.explain(err)
	}
}

// scope names what is watched.
func (c *watchCommand) scope() string {
	if c.DB == "" {
		return "the whole cluster"
	}
	return sluice.Namespace{DB: c.DB, Coll: c.Coll}.String()
}

func (c *watchCommand) target(src *source) sluice.Target {
	switch {
	case c.DB == "":
		return src.client
	case c.Coll == "":
		return src.client.Database(c.DB)
	default:
		return src.client.Database(c.DB).Collection(c.Coll)
	}
}

// closeLimit is how long a server has to let go of the stream, so that Ctrl-C works within a second whatever the server
// does.
const closeLimit = 500 * time.Millisecond

// closeStream closes the stream, or leaves it to the end of the process when the server is silent.
func closeStream(stream *sluice.Stream[bson.Raw]) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = stream.Close() // always nil
	}()
	timer := time.NewTimer(closeLimit)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
	}
}

// explain tells what the user of the command can do about an error.
func (c *watchCommand) explain(err error) error {
	restart := "leave the start flags out to start from now"
	switch {
	case c.ResumeFile != "" && c.URI == "" && c.Dir == "":
		restart = "an engine in memory begins anew each time, so --resume-file needs --dir or a URI; delete " + c.ResumeFile + " to start from now"
	case c.ResumeFile != "":
		restart = "delete " + c.ResumeFile + " to start from now"
	}
	var advice string
	switch {
	case errors.Is(err, sluice.ErrHistoryLost):
		advice = "the server no longer has all changes since that position: " + restart
	case errors.Is(err, sluice.ErrInvalidToken):
		advice = "the token must come from the same kind of stream on this server, and one of an invalidate event goes into --start-after: " + restart
	case errors.Is(err, sluice.ErrTooLarge):
		advice = "let --pipeline remove large fields with $project"
	case unreachable(err):
		advice = "is a server running there? `sluice watch` without a URI needs none"
	default:
		return err
	}
	if failure, ok := errors.AsType[*sluice.Error](err); ok { // without the hint for programmers
		err = fmt.Errorf("%s %s: %w", failure.Op, cmp.Or(failure.Namespace.String(), "cluster"), failure.Err)
	}
	return fmt.Errorf("%w; %s", err, advice)
}

// unreachable reports whether no server was found. The driver has no exported error for that.
func unreachable(err error) bool { return strings.Contains(err.Error(), "server selection error") }
