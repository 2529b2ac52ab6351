package differential

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// settleTries bounds how often a stream is asked until it has come to the end of the log, each at most settleMillis.
	settleTries  = 10000
	settleMillis = 2
)

// stream is a change stream that a scenario has open.
type stream struct {
	step   step
	id     int64
	failed string
	batch  []bson.Raw // not yet shown
	shown  []bson.Raw
	seen   bson.Timestamp // up to here everything was delivered
	// begin is the first position, position the last postBatchResumeToken, and marks those between what was shown.
	begin, position string
	token           bson.Raw // that the position is in
	marks           []mark
	drained         bool   // the last batch was empty
	broken          string // the promise about positions that was not kept
}

// mark is a position and how many events were shown before it.
type mark struct {
	position bson.Raw
	after    int
	now      bson.Timestamp // what had happened when it was told
}

// runner does the steps of one scenario on one server.
type runner struct {
	conn      *conn
	database  string
	normal    *normalizer
	variables map[string]any
	streams   map[string]*stream
	started   map[string]*background
	reply     bson.Raw       // the last
	now       bson.Timestamp // the newest operationTime
	begun     bson.Timestamp // when the scenario began
}

// perform runs a scenario on a server and returns the outcome of each step.
func perform(ctx context.Context, where server, database string, s scenario) ([]string, error) {
	c, err := dial(ctx, where.address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where.name, err)
	}
	defer c.close()
	r := &runner{
		conn: c, database: database, normal: newNormalizer(s), streams: map[string]*stream{}, started: map[string]*background{},
		variables: map[string]any{"session": newSession(), "session2": newSession(), "database": database, "otherDatabase": database + "_" + otherDatabase},
	}
	defer r.endBackground()
	if _, err := r.run(ctx, "admin", bson.D{{Key: "ping", Value: 1}}); err != nil {
		return nil, fmt.Errorf("%s: %w", where.name, err)
	}
	r.begun = r.now
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
		r.normal.known(opened.id)
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
		if s.where == "" {
			return r.resume(ctx, open, open)
		}
		other := r.streams[s.where]
		if other == nil {
			return "", fmt.Errorf("there is no stream %q", s.where)
		}
		return r.resume(ctx, open, other)
	case "ask":
		reply, err := r.run(ctx, s.database, s.command)
		r.reply = reply
		return "", err
	case "start":
		return "", r.start(ctx, s)
	case "finish":
		return r.finish(ctx, s.name)
	case "oplog":
		return r.oplog(ctx, s.command)
	default:
		reply, err := r.run(ctx, s.database, s.command)
		if err != nil {
			return "", err
		}
		r.reply = reply
		return r.normal.reply(reply), nil
	}
}

// encode makes a message of a command to a database, the scenario's own if it is empty.
func (r *runner) encode(database string, command bson.D) (bson.Raw, error) {
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
	return bson.Marshal(append(full, bson.E{Key: "$db", Value: database}))
}

// run sends a command and waits for the reply.
func (r *runner) run(ctx context.Context, database string, command bson.D) (bson.Raw, error) {
	raw, err := r.encode(database, command)
	if err != nil {
		return nil, err
	}
	reply, err := r.conn.run(ctx, raw)
	if err != nil {
		return nil, err
	}
	r.note(reply)
	return reply, nil
}

// note remembers the time of a reply.
func (r *runner) note(reply bson.Raw) {
	if t, i, ok := reply.Lookup("operationTime").TimestampOK(); ok {
		if at := (bson.Timestamp{T: t, I: i}); at.After(r.now) {
			r.now = at
		}
	}
}

// open opens a stream; failed says why it could not.
func (r *runner) open(ctx context.Context, s step) (*stream, error) {
	opened := &stream{step: s}
	reply, err := r.run(ctx, s.database, s.command)
	if err != nil {
		return nil, err
	}
	r.reply = reply
	opened.take(r, reply, "firstBatch")
	opened.begin = s.begins(opened.position)
	opened.mark(r.now)
	return opened, nil
}

// begins is the position at which a stream begins that tells first as its own.
func (s step) begins(first string) string {
	options, _ := s.pipeline()
	for _, e := range options {
		switch v := e.Value.(type) {
		case bson.RawValue:
			return tokenData(v)
		case bson.Raw:
			data, _ := v.Lookup("_data").StringValueOK()
			return data
		case bson.Timestamp:
			if at, _ := timeOf(first); at != v {
				return ""
			}
		}
	}
	return first
}

// take takes over a reply's batch.
func (s *stream) take(r *runner, reply bson.Raw, batch string) {
	if ok, _ := reply.Lookup("ok").AsInt64OK(); ok != 1 {
		s.failed, s.id = r.normal.reply(reply), 0
		return
	}
	s.id = reply.Lookup("cursor", "id").Int64()
	list, _ := reply.Lookup("cursor", batch).Array().Values()
	s.drained = len(list) == 0
	for _, v := range list {
		s.batch = append(s.batch, v.Document())
	}
	s.moveTo(reply.Lookup("cursor", "postBatchResumeToken"))
}

// moveTo notes the position of a batch, which never goes back and never stands before an event that was given.
func (s *stream) moveTo(position bson.RawValue) {
	data, last := tokenData(position), ""
	if n := len(s.batch); n > 0 {
		last = tokenData(s.batch[n-1].Lookup("_id"))
	}
	switch {
	case data == "":
		s.broken += "\n      a batch without postBatchResumeToken"
		return
	case data < s.position || data < last:
		s.broken += "\n      a postBatchResumeToken that goes back"
	}
	s.position, s.token = data, position.Document()
	if at, ok := timeOf(data); ok {
		s.seen = at
	}
}

// isHighWaterMark says that a token is of no event: behind its time and version stands a zero.
func isHighWaterMark(token string) bool {
	const from, to = 2 + 16 + 4, 2 + 16 + 4 + 2
	return len(token) > to && token[from:to] == "29"
}

func tokenData(token bson.RawValue) string {
	d, ok := token.DocumentOK()
	if !ok {
		return ""
	}
	data, _ := d.Lookup("_data").StringValueOK()
	return data
}

// mark remembers where the stream stands behind what was shown.
func (s *stream) mark(now bson.Timestamp) {
	if s.failed == "" {
		s.marks = append(s.marks, mark{s.token, len(s.shown), now})
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

// read reads a stream until it is closed or has delivered everything up to now, which the position that each batch tells makes certain.
func (r *runner) read(ctx context.Context, s *stream) error {
	goal := r.now
	s.drained = false
	for range settleTries {
		if s.id == 0 || s.hasReadTo(goal) {
			return nil
		}
		getMore := bson.D{{Key: "getMore", Value: s.id}, {Key: "collection", Value: s.step.cursorCollection()}, {Key: "maxTimeMS", Value: settleMillis}}
		if s.step.batchSize > 0 {
			getMore = append(getMore, bson.E{Key: "batchSize", Value: s.step.batchSize})
		}
		reply, err := r.run(ctx, s.step.database, getMore)
		if err != nil {
			return err
		}
		s.take(r, reply, "nextBatch")
	}
	return fmt.Errorf("the stream %s does not come to %v: it says that it is at %v", s.step.name, goal, s.seen)
}

// hasReadTo says that nothing of that time or before is left. The position of an event does not tell that the next one is not of the same time, and
// the first position may be ahead of all that was written, without anything having been read.
func (s *stream) hasReadTo(goal bson.Timestamp) bool {
	return !goal.After(s.seen) && (s.drained || s.position != s.begin && isHighWaterMark(s.position))
}

func (r *runner) events(ctx context.Context, s *stream) (string, error) {
	if err := r.read(ctx, s); err != nil {
		return "", err
	}
	if s.failed != "" && s.step.batchSize != 1 {
		s.batch = nil // it is chance which events come in the batch that the error takes the place of
	}
	text := s.state() + r.normal.events(s.batch) + s.broken
	s.shown = append(s.shown, s.batch...)
	shown, err := bson.Marshal(bson.D{{Key: "events", Value: s.batch}})
	r.reply, s.batch = shown, nil
	s.mark(r.now)
	return text, err
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

// kill closes a stream.
func (r *runner) kill(ctx context.Context, s *stream) error {
	if s.id == 0 {
		return nil
	}
	_, err := r.run(ctx, s.step.database, bson.D{{Key: "killCursors", Value: s.step.cursorCollection()}, {Key: "cursors", Value: bson.A{s.id}}})
	return err
}
