package sluice

import (
	"context"
	"reflect"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Target is what can be watched: a *mongo.Client (the whole cluster), *mongo.Database or *mongo.Collection of the
// official driver. Another implementation works if its Watch passes on to one of them; if it also has their Name,
// Database and Client methods, errors can name what is watched, and a cursor is always killed.
type Target interface {
	Watch(ctx context.Context, pipeline any, opts ...options.Lister[options.ChangeStreamOptions]) (*mongo.ChangeStream, error)
}

// Watch opens a stream. When it returns, the server has opened the cursor, so that the stream sees every later change.
// ctx bounds the opening only, but the session in it, if there is one, is used like Options.Session. When ctx ends before
// or meanwhile, errors.Is finds context.DeadlineExceeded or context.Canceled in the error, whose text is the driver's
// ("calculated server-side timeout (0 ms) ...", for instance). A Timeout of the client and its server selection timeout
// give context.DeadlineExceeded too: ask ctx.Err where that makes a difference.
//
// pipeline may be nil, a mongo.Pipeline, or any other slice of stage documents, and must leave the events' _id as it is
// (or else the first event is ErrInvalidToken).
// opts may be nil, which means every default. A stream must be closed. On error the stream is nil and the error an
// *Error: invalid arguments, all named at once and before the server is asked, or what kept the server from opening.
func Watch[T any](ctx context.Context, target Target, pipeline any, opts *Options) (*Stream[T], error) {
	m, err := watch(ctx, target, pipeline, opts)
	if err != nil {
		return nil, err
	}
	return &Stream[T]{m: m}, nil
}

func watch(ctx context.Context, target Target, pipeline any, opts *Options) (*machine, error) {
	var p problems
	client, ns := describe(target)
	if isNil(target) {
		p.addf("the target is nil")
	}
	o := opts.normalized(client, &p)
	stages := pipelineStages(pipeline, &p)
	if err := p.err(ns); err != nil {
		return nil, err
	}
	src := &driverSource{target: target, client: client, ns: ns, stages: stages, opts: &o, session: o.Session}
	src.split = o.SplitLargeEvents && !endsWithSplit(stages)
	if src.session == nil {
		src.session = mongo.SessionFromContext(ctx)
	}
	if src.session == nil && client != nil {
		// A session of the stream's own, so that every cursor it opens runs in the same one, and its operation time
		// is known. Causal consistency would only make the server wait for what a stream waits for anyway.
		session, err := client.StartSession(options.Session().SetCausalConsistency(false))
		if err != nil {
			return nil, newError(opOpen, ns, position{}, err)
		}
		src.session, src.owned = session, true
	}
	m, err := newMachine(ctx, src, &o, ns)
	if err != nil {
		src.unsure = false // nobody waits any longer
		src.close()
		return nil, err
	}
	m.start()
	return m, nil
}

// start starts the goroutine, which ends with the stream: after Close, or after a final error.
func (m *machine) start() { go m.run() }

// describe finds out whose target it is and what it is called.
func describe(target Target) (*mongo.Client, Namespace) {
	if isNil(target) {
		return nil, Namespace{}
	}
	switch t := target.(type) {
	case *mongo.Client:
		return t, Namespace{}
	case interface {
		Name() string
		Database() *mongo.Database
	}:
		return t.Database().Client(), Namespace{DB: t.Database().Name(), Coll: t.Name()}
	case interface {
		Name() string
		Client() *mongo.Client
	}:
		return t.Client(), Namespace{DB: t.Name()}
	default:
		return nil, Namespace{}
	}
}

// isNil reports whether there is no target, or a nil pointer as one.
func isNil(target Target) bool {
	value := reflect.ValueOf(target)
	return !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil()
}

// endsWithSplit reports whether the caller's pipeline splits large events itself.
func endsWithSplit(stages []any) bool {
	if len(stages) == 0 {
		return false
	}
	raw, err := bson.Marshal(stages[len(stages)-1])
	if err != nil {
		return false // opening will tell
	}
	return bson.Raw(raw).Lookup(splitStage).Type != 0
}
