package sluice

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
)

// driverCursor is a cursor on top of the driver's mongo.ChangeStream, which pins getMores to the right server on every
// kind of deployment. What that type does otherwise than a stream needs is put right here:
//   - it resumes by itself, and from its own idea of the position, which is sometimes wrong: then more fails with
//     errElsewhere, and the machine opens again from the right position;
//   - a reply without a batch token leaves the token of an earlier reply in place: such a stale token is recognised;
//   - the first call after opening does no I/O: open makes it;
//   - the token of the reply in which the cursor ends is not shown if that reply is empty: see tokenOfEnd;
//   - an ended context kills it, and then it forgets the server's cursor: close kills that by command;
//   - the client's Timeout bounds the wait for events unless the context has a deadline: see patience.
type driverCursor struct {
	src       *driverSource
	stream    *mongo.ChangeStream
	options   *options.ChangeStreamOptions // the driver's own, which its resume reads and writes
	batchSize *int32                       // shared with them, so that its own resume uses it too
	from      position                     // where it was opened

	current bool     // stream.Current has not been taken yet
	last    bson.Raw // the last event taken of the current reply
	seen    bson.Raw // the token document that the driver showed last
	token   Token    // the reply's batch token
	pos     Token    // position after all that was received
	swaps   uint64   // the driver's own resumes
	orphan  int64    // a server cursor that the driver has forgotten
	wait    *patience
}

// settle is called when everything of a reply has been taken. It tells the reply's own batch token from the stale one
// of an earlier reply and from the last event's, which the driver shows in its place. Every reply has a buffer of its
// own, so that the address of a token says which reply it belongs to.
func (c *driverCursor) settle() {
	shown := c.stream.ResumeToken()
	c.token = Token{}
	fresh := len(shown) > 0 && !sameMemory(shown, c.seen)
	if fresh && c.last != nil && sameMemory(shown, eventID(c.last)) {
		fresh = false
	}
	c.seen = shown
	switch {
	case fresh:
		c.token = tokenOf(shown)
		c.pos = c.token
	case c.last != nil:
		c.pos = tokenOf(eventID(c.last))
	}
	c.last = nil
}

func sameMemory(a, b bson.Raw) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

// aligned reports whether the driver would resume from the stream's position, if it did so now.
func (c *driverCursor) aligned() bool {
	if shown := c.stream.ResumeToken(); len(shown) > 0 || !c.pos.IsZero() {
		return string(shown) == c.pos.raw
	}
	return !c.from.time.IsZero()
}

func (c *driverCursor) more(ctx context.Context) error {
	before, aligned := c.stream.ID(), c.aligned()
	if before == 0 {
		c.token = Token{}
		return nil
	}
	call, cancel := c.wait.bound(ctx)
	swapped := c.expectSwap()
	c.current = c.stream.TryNext(mortalContext{call})
	ended := call.Err()
	cancel()

	after := c.stream.ID()
	if err := c.stream.Err(); err != nil {
		// The driver's own attempt to kill the cursor may have had a dead context. Where it went on to look for a server,
		// and found none, the attempt was made and another would only wait for a server.
		if after == 0 && (abandoned(ended, err) || mongo.IsTimeout(err) && !noServerFound(err)) {
			c.orphan = before
		}
		c.src.unsure = c.src.unsure || swapped() && abandoned(ended, err)
		c.wait.failed(err, ended)
		return &cursorError{err: err, opening: after == 0 && !errors.Is(err, mongo.ErrMissingResumeToken)}
	}
	c.wait.succeeded()
	if swapped() || after != 0 && after != before {
		c.swaps++
		if !aligned {
			return &cursorError{err: errElsewhere}
		}
	}
	if !c.current {
		c.settle()
	}
	if after == 0 && !c.current {
		c.tokenOfEnd(ctx)
	}
	return nil
}

// tokenOfEnd finds out after which token a cursor ended without an event: after an invalidate, as a rule, that the
// pipeline does not let through. Another cursor, opened at the position, ends at the same place in its first reply, whose
// token the driver shows. Where that cannot be had the position stays, and who goes on from there meets the end again.
func (c *driverCursor) tokenOfEnd(ctx context.Context) {
	from := position{token: c.pos, startAfter: !c.pos.IsZero(), time: c.from.time}
	if from.isZero() {
		return
	}
	again, err := c.src.watch(ctx, from, cursorSettings{maxAwait: c.wait.await, batchSize: *c.batchSize})
	if err != nil {
		return
	}
	if !again.alive() && again.waiting() == 0 {
		c.token = again.batchToken()
	}
	again.close(ctx)
}

// positionMark stands in the driver's options for the position that it would resume from, and is one.
type positionMark struct{ raw bson.Raw }

// MarshalBSON returns the position, should the driver ever use it.
func (m *positionMark) MarshalBSON() ([]byte, error) { return m.raw, nil }

// expectSwap returns a function that tells whether the driver has opened another cursor since: it writes the position
// that it resumes from into its options first. The cursor's id tells too, but only of servers that never use one again.
func (c *driverCursor) expectSwap() func() bool {
	mark := &positionMark{c.pos.Raw()}
	c.options.ResumeAfter = mark
	return func() bool { return c.options.ResumeAfter != any(mark) }
}

func (c *driverCursor) waiting() int {
	if c.current {
		return 1 + c.stream.RemainingBatchLength()
	}
	return c.stream.RemainingBatchLength()
}

func (c *driverCursor) take(dst []bson.Raw, n int) ([]bson.Raw, error) {
	for ; n > 0 && c.waiting() > 0; n-- {
		// With events left in the driver's batch this does no I/O, so the context plays no part.
		if !c.current && !c.stream.TryNext(context.Background()) {
			return dst, &cursorError{err: c.stream.Err()}
		}
		c.current = false
		event := slices.Clip(c.stream.Current)
		if eventID(event) == nil {
			return dst, &cursorError{err: errNoToken}
		}
		c.last = event
		dst = append(dst, event)
	}
	if c.waiting() == 0 && c.last != nil {
		c.settle()
	}
	return dst, nil
}

func (c *driverCursor) batchToken() Token { return c.token }

func (c *driverCursor) alive() bool { return c.stream.ID() != 0 }

func (c *driverCursor) resumes() uint64 { return c.swaps }

func (c *driverCursor) serverTime() bson.Timestamp { return c.src.operationTime() }

func (c *driverCursor) setBatchSize(n int32) {
	*c.batchSize = n
	c.stream.SetBatchSize(n)
}

func (c *driverCursor) close(ctx context.Context) {
	_ = c.stream.Close(ctx) // a cursor that cannot be killed ends with its session
	if c.orphan != 0 {
		c.src.kill(ctx, c.orphan)
		c.orphan = 0
	}
}

// patience decides how long one getMore may take. Without a Timeout of the client there is no limit of ours: the
// server may have much of the oplog to look through, and the driver's monitor and TCP notice when it is gone. A Timeout
// bounds every call whose context has no deadline, idle waits too, so calls get a deadline of their own once a Timeout
// has shown itself. It grows while it is too short, so that no server is too slow for ever.
type patience struct {
	await   time.Duration // the server's wait for one getMore
	limit   time.Duration // 0: none
	bounded bool          // the last call had the limit
}

const (
	defaultAwait  = time.Second
	patienceSlack = 30 * time.Second
	maxPatience   = time.Hour
)

func (p *patience) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	p.bounded = p.limit > 0
	if !p.bounded {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, p.limit)
}

// failed learns from a failure; ended is the state of the call's context afterwards.
func (p *patience) failed(err, ended error) {
	switch {
	case !mongo.IsTimeout(err) || errors.Is(ended, context.Canceled):
	case p.limit == 0:
		p.limit = max(p.await, defaultAwait) + patienceSlack
	case p.bounded && ended != nil:
		p.limit = min(2*p.limit, maxPatience)
	}
}

func (p *patience) succeeded() {
	if p.limit > 0 {
		p.limit = max(p.await, defaultAwait) + patienceSlack
	}
}

// driverSource opens driverCursors.
type driverSource struct {
	target   Target
	client   *mongo.Client // nil: the target does not tell
	ns       Namespace
	stages   []any
	opts     *Options
	session  *mongo.Session // nil: the driver uses one of its own
	owned    bool           // session is the stream's own
	split    bool           // the split stage is in use
	patience patience       // what earlier cursors learned
	unsure   bool           // an opening was abandoned, which the server may have finished
}

func (s *driverSource) open(ctx context.Context, from position, with cursorSettings) (cursor, error) {
	c, err := s.watch(ctx, from, with)
	switch {
	case err == nil:
		return c, nil
	case s.owned && sessionsUnsupported(err):
		s.close()
		return s.open(ctx, from, with)
	case s.split && hasCode(err, codeUnknownStage):
		s.split = false
		c, err := s.open(ctx, from, with)
		if err == nil {
			s.opts.Logger.Warn("sluice: the server cannot split large events; going on without", "namespace", s.ns.String())
		}
		return c, err
	}
	return nil, err
}

func (s *driverSource) watch(ctx context.Context, from position, with cursorSettings) (cursor, error) {
	if s.session != nil {
		ctx = mongo.NewSessionContext(ctx, s.session)
	}
	stages := append(mongoPipeline{}, s.stages...)
	if s.split {
		stages = append(stages, bson.D{{Key: splitStage, Value: bson.D{}}})
	}
	c := &driverCursor{src: s, batchSize: &with.batchSize, from: from, pos: from.token, wait: &s.patience}
	c.wait.await = with.maxAwait
	stream, err := s.target.Watch(ctx, stages, watchOptions(func(o *options.ChangeStreamOptions) error {
		c.options = o
		s.fill(o, from, with)
		if with.batchSize > 0 {
			o.BatchSize = c.batchSize
		}
		return nil
	}))
	if err != nil {
		s.unsure = s.unsure || abandoned(ctx.Err(), err)
		return nil, err
	}
	c.stream = stream
	if c.options == nil {
		c.options = new(options.ChangeStreamOptions) // a target of another kind keeps them to itself
	}
	c.current = stream.TryNext(ctx) // reads the first batch, which is here already
	if err := stream.Err(); err != nil {
		c.close(ctx)
		return nil, &cursorError{err: err}
	}
	if !c.current {
		c.settle()
	}
	return c, nil
}

// mongoPipeline is a slice of stages of any type, which is all the driver asks of a pipeline.
type mongoPipeline []any

// watchOptions passes a function where the driver wants a builder. BatchSize is a pointer into the cursor that way, so
// that the driver's own resume sees a change of it.
type watchOptions func(*options.ChangeStreamOptions) error

func (f watchOptions) List() []func(*options.ChangeStreamOptions) error {
	return []func(*options.ChangeStreamOptions) error{f}
}

func (s *driverSource) fill(o *options.ChangeStreamOptions, from position, with cursorSettings) {
	if s.opts.FullDocument != DefaultDocument {
		mode := options.FullDocument(s.opts.FullDocument)
		o.FullDocument = &mode
	}
	if s.opts.FullDocumentBeforeChange != BeforeOff {
		mode := options.FullDocument(s.opts.FullDocumentBeforeChange)
		o.FullDocumentBeforeChange = &mode
	}
	if s.opts.ShowExpandedEvents {
		o.ShowExpandedEvents = &s.opts.ShowExpandedEvents
	}
	if with.maxAwait > 0 {
		o.MaxAwaitTime = &with.maxAwait
	}
	o.Collation = s.opts.Collation
	o.Comment = s.opts.Comment
	switch {
	case from.startAfter:
		o.StartAfter = from.token.Raw()
	case !from.token.IsZero():
		o.ResumeAfter = from.token.Raw()
	case !from.time.IsZero():
		o.StartAtOperationTime = &from.time
	}
}

func (s *driverSource) operationTime() bson.Timestamp {
	if s.session == nil {
		return bson.Timestamp{}
	}
	if at := s.session.OperationTime(); at != nil {
		return *at
	}
	return bson.Timestamp{}
}

// kill kills a server cursor that the driver has forgotten. Commands cannot be addressed to a server, so it asks the
// primary first and then others, or several mongos by chance, until one says that it had the cursor. (Behind a load
// balancer the cursor dies with its connection.)
func (s *driverSource) kill(ctx context.Context, id int64) {
	if s.client == nil {
		return
	}
	db, coll := s.ns.DB, s.ns.Coll
	if db == "" {
		db = "admin"
	}
	if coll == "" {
		coll = "$cmd.aggregate"
	}
	if s.session != nil {
		ctx = mongo.NewSessionContext(ctx, s.session)
	}
	command := bson.D{{Key: "killCursors", Value: coll}, {Key: "cursors", Value: bson.A{id}}}
	for _, preference := range []*readpref.ReadPref{
		readpref.PrimaryPreferred(), readpref.SecondaryPreferred(), readpref.Nearest(), readpref.Nearest(),
	} {
		var reply struct {
			Killed []int64 `bson:"cursorsKilled"`
		}
		err := s.client.Database(db).RunCommand(ctx, command, options.RunCmd().SetReadPreference(preference)).Decode(&reply)
		if err == nil && len(reply.Killed) > 0 || ctx.Err() != nil {
			return
		}
	}
}

// abandoned reports whether a failed call was given up after it was sent; ended is the state of its context.
func abandoned(ended, err error) bool { return ended != nil && !noServerFound(err) }

// killSession ends whatever the server does in the stream's own session: a cursor whose id never arrived, for one.
func (s *driverSource) killSession() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	command := bson.D{{Key: "killSessions", Value: bson.A{s.session.ID()}}}
	for _, preference := range []*readpref.ReadPref{readpref.PrimaryPreferred(), readpref.SecondaryPreferred()} {
		_ = s.client.Database("admin").RunCommand(ctx, command, options.RunCmd().SetReadPreference(preference)).Err()
	}
}

// close gives the stream's own session back to the pool.
func (s *driverSource) close() {
	if s.owned {
		if s.unsure {
			s.killSession()
		}
		s.session.EndSession(context.Background()) // no I/O outside of transactions
		s.session, s.owned = nil, false
	}
}

func hasCode(err error, code int32) bool {
	var ce mongo.CommandError
	return errors.As(err, &ce) && ce.Code == code
}
