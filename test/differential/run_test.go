package differential

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// settleTries bounds how often a stream is asked until it has come to the end of the log, each at most settleMillis.
	settleTries  = 3000
	settleMillis = 10
)

// stream is a change stream that a scenario has open.
type stream struct {
	step   step
	id     int64
	failed string
	batch  []bson.Raw // not yet shown
	shown  []bson.Raw
	seen   bson.Timestamp // up to here everything was delivered
}

// runner does the steps of one scenario on one server.
type runner struct {
	conn      *conn
	database  string
	normal    *normalizer
	variables map[string]any
	streams   map[string]*stream
	reply     bson.Raw       // the last
	now       bson.Timestamp // the newest operationTime
}

// perform runs a scenario on a server and returns the outcome of each step.
func perform(ctx context.Context, where server, database string, s scenario) ([]string, error) {
	c, err := dial(ctx, where.address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where.name, err)
	}
	defer c.close()
	r := &runner{conn: c, database: database, normal: newNormalizer(s), variables: map[string]any{"session": newSession(), "database": database}, streams: map[string]*stream{}}
	outcomes := make([]string, len(s.steps))
	for i, one := range s.steps {
		outcomes[i], err = r.do(ctx, one)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", where.name, one.text(), err)
		}
	}
	for _, open := range r.streams {
		if err := r.kill(ctx, open); err != nil {
			return nil, fmt.Errorf("%s: %w", where.name, err)
		}
	}
	for _, used := range []string{"", otherDatabase} {
		if _, err := r.run(ctx, used, bson.D{{Key: "dropDatabase", Value: 1}}); err != nil {
			return outcomes, err
		}
	}
	return outcomes, nil
}

// newSession is the id of a session that no server knows yet.
func newSession() bson.Binary {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return bson.Binary{Subtype: bson.TypeBinaryUUID, Data: id}
}

// do does one step and renders what came of it.
func (r *runner) do(ctx context.Context, s step) (string, error) {
	switch s.verb {
	case "let":
		v := r.reply.Lookup(strings.Split(s.path, ".")...)
		if v.IsZero() {
			return "nothing is at " + s.path, nil
		}
		var decoded any
		if err := v.Unmarshal(&decoded); err != nil {
			return "", err
		}
		r.variables[s.name] = decoded
		return "", nil
	case "watch":
		opened, err := r.open(ctx, s)
		if err != nil {
			return "", err
		}
		r.streams[s.name] = opened
		if opened.failed != "" {
			return opened.failed, nil
		}
		return "open", nil
	case "events":
		open := r.streams[s.name]
		if open == nil {
			return "", fmt.Errorf("there is no stream %q", s.name)
		}
		return r.events(ctx, open)
	case "resume":
		open := r.streams[s.name]
		if open == nil {
			return "", fmt.Errorf("there is no stream %q", s.name)
		}
		return r.resume(ctx, open)
	default:
		reply, err := r.run(ctx, s.database, s.command)
		if err != nil {
			return "", err
		}
		r.reply = reply
		return r.normal.reply(reply), nil
	}
}

// run sends a command to a database, the scenario's own if it is empty.
func (r *runner) run(ctx context.Context, database string, command bson.D) (bson.Raw, error) {
	switch database {
	case "":
		database = r.database
	case otherDatabase:
		database = r.database + "_other"
	}
	made, err := expand(command, r.variables)
	if err != nil {
		return nil, err
	}
	full, _ := made.(bson.D)
	raw, err := bson.Marshal(append(full, bson.E{Key: "$db", Value: database}))
	if err != nil {
		return nil, err
	}
	reply, err := r.conn.run(ctx, raw)
	if err != nil {
		return nil, err
	}
	if t, i, ok := reply.Lookup("operationTime").TimestampOK(); ok {
		if at := (bson.Timestamp{T: t, I: i}); at.After(r.now) {
			r.now = at
		}
	}
	return reply, nil
}

// open opens a stream; failed says why it could not.
func (r *runner) open(ctx context.Context, s step) (*stream, error) {
	opened := &stream{step: s}
	reply, err := r.run(ctx, s.database, s.command)
	if err != nil {
		return nil, err
	}
	opened.take(r, reply, "firstBatch")
	return opened, nil
}

// take takes over a reply's batch.
func (s *stream) take(r *runner, reply bson.Raw, batch string) {
	if ok, _ := reply.Lookup("ok").AsInt64OK(); ok != 1 {
		s.failed, s.id = r.normal.reply(reply), 0
		return
	}
	s.id = reply.Lookup("cursor", "id").Int64()
	list, _ := reply.Lookup("cursor", batch).Array().Values()
	for _, v := range list {
		s.batch = append(s.batch, v.Document())
	}
	data, _ := reply.Lookup("cursor", "postBatchResumeToken", "_data").StringValueOK()
	if at, ok := timeOf(data); ok {
		s.seen = at
	}
}

// timeOf is the time in a token.
func timeOf(token string) (bson.Timestamp, bool) {
	const begin, end = 2, 2 + 16 // hexadecimal: the type's byte, then the time's eight
	if len(token) < end {
		return bson.Timestamp{}, false
	}
	raw, err := hex.DecodeString(token[begin:end])
	if err != nil {
		return bson.Timestamp{}, false
	}
	return bson.Timestamp{T: binary.BigEndian.Uint32(raw), I: binary.BigEndian.Uint32(raw[4:])}, true
}

// read reads a stream until it is closed or has delivered everything up to now. The position that each batch tells makes that certain.
func (r *runner) read(ctx context.Context, s *stream) error {
	name := "$cmd.aggregate"
	if s.step.where != "database" && s.step.where != "cluster" && s.step.where != otherDatabase {
		name = s.step.where
	}
	goal := r.now
	// The first position that a stream tells may be ahead of all that was written, without anything having been read.
	for i := range settleTries {
		if s.id == 0 || i > 0 && !goal.After(s.seen) {
			return nil
		}
		reply, err := r.run(ctx, s.step.database, bson.D{{Key: "getMore", Value: s.id}, {Key: "collection", Value: name}, {Key: "maxTimeMS", Value: settleMillis}})
		if err != nil {
			return err
		}
		s.take(r, reply, "nextBatch")
	}
	return fmt.Errorf("the stream %s does not come to %v: it says that it is at %v", s.step.name, goal, s.seen)
}

func (r *runner) events(ctx context.Context, s *stream) (string, error) {
	if err := r.read(ctx, s); err != nil {
		return "", err
	}
	text := s.state() + r.normal.events(s.batch)
	s.shown = append(s.shown, s.batch...)
	s.batch = nil
	return text, nil
}

func (s *stream) state() string {
	switch {
	case s.failed != "":
		return s.failed
	case s.id == 0:
		return "closed"
	default:
		return "open"
	}
}

// resume opens the stream again from each of its events, in each way.
func (r *runner) resume(ctx context.Context, s *stream) (string, error) {
	var b strings.Builder
	for i, event := range s.shown {
		t, n, _ := event.Lookup("clusterTime").TimestampOK()
		for _, way := range []bson.E{
			{Key: "resumeAfter", Value: event.Lookup("_id")},
			{Key: "startAfter", Value: event.Lookup("_id")},
			{Key: "startAtOperationTime", Value: bson.Timestamp{T: t, I: n}},
		} {
			again, err := r.open(ctx, s.step.from(way))
			if err != nil {
				return "", err
			}
			if err := r.read(ctx, again); err != nil {
				return "", err
			}
			b.WriteString("\n    " + way.Key + " of event " + strconv.Itoa(i) + ": " + again.state() + r.normal.events(again.batch))
			if err := r.kill(ctx, again); err != nil {
				return "", err
			}
		}
	}
	return b.String(), nil
}

// from is a step that opens the stream elsewhere.
func (s step) from(way bson.E) step {
	pipeline, _ := s.command[1].Value.(bson.A)
	stage, _ := pipeline[0].(bson.D)
	options, _ := stage[0].Value.(bson.D)
	moved := bson.D{way}
	for _, e := range options {
		if e.Key != "resumeAfter" && e.Key != "startAfter" && e.Key != "startAtOperationTime" {
			moved = append(moved, e)
		}
	}
	stages := append(bson.A{bson.D{{Key: "$changeStream", Value: moved}}}, pipeline[1:]...)
	command := append(bson.D{s.command[0], {Key: "pipeline", Value: stages}}, s.command[2:]...)
	s.command = command
	return s
}

// kill closes a stream.
func (r *runner) kill(ctx context.Context, s *stream) error {
	if s.id == 0 {
		return nil
	}
	name := "$cmd.aggregate"
	if s.step.where != "database" && s.step.where != "cluster" && s.step.where != otherDatabase {
		name = s.step.where
	}
	_, err := r.run(ctx, s.step.database, bson.D{{Key: "killCursors", Value: name}, {Key: "cursors", Value: bson.A{s.id}}})
	return err
}
