package differential

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// background is a command under way on a connection of its own.
type background struct {
	conn  *conn
	done  chan struct{}
	reply bson.Raw
	err   error
}

// start sends a command on a connection of its own and returns when the server is at it, or has already answered.
func (r *runner) start(ctx context.Context, s step) error {
	nc, err := dial(ctx, r.conn.net.RemoteAddr().String())
	if err != nil {
		return err
	}
	b := &background{conn: nc, done: make(chan struct{})}
	r.started[s.name] = b
	comment := r.database + " " + s.name
	command := append(append(bson.D{}, s.command...), bson.E{Key: "comment", Value: comment})
	// A runner is for one goroutine, but this needs only what does not change.
	aside := &runner{conn: nc, database: r.database, variables: r.variables}
	raw, err := aside.encode(s.database, command)
	if err != nil {
		return err
	}
	go func() {
		defer close(b.done)
		b.reply, b.err = nc.run(ctx, raw)
	}()
	running := bson.D{{Key: "currentOp", Value: 1}, {Key: "command.comment", Value: comment}, {Key: "active", Value: true}}
	for range settleTries {
		reply, err := r.run(ctx, "admin", running)
		if err != nil {
			return err
		}
		if list, _ := reply.Lookup("inprog").Array().Values(); len(list) > 0 {
			return nil
		}
		select {
		case <-b.done:
			return nil
		case <-time.After(settleMillis * time.Millisecond):
		}
	}
	return fmt.Errorf("the server does not begin with %s", s.text())
}

// finish waits for a command's reply.
func (r *runner) finish(ctx context.Context, name string) (string, error) {
	b := r.started[name]
	if b == nil {
		return "", fmt.Errorf("nothing was started as %q", name)
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if b.err != nil {
		return "", b.err
	}
	r.note(b.reply)
	r.reply = b.reply
	return r.normal.reply(b.reply), nil
}

// endBackground ends what is still under way.
func (r *runner) endBackground() {
	for _, b := range r.started {
		b.conn.close()
		<-b.done
	}
}

// oplog shows the entries that tell of the scenario's databases and sessions.
func (r *runner) oplog(ctx context.Context, projection bson.D) (string, error) {
	ours := bson.A{bson.D{{Key: "ns", Value: bson.Regex{Pattern: "^" + r.database + `(_other)?\.`}}}}
	for _, name := range []string{"session", "session2"} {
		ours = append(ours, bson.D{{Key: "lsid.id", Value: r.variables[name]}})
	}
	if projection == nil {
		projection = bson.D{}
	}
	reply, err := r.run(ctx, "local", bson.D{
		{Key: "find", Value: "oplog.rs"},
		{Key: "batchSize", Value: 10000},
		{Key: "projection", Value: projection},
		{Key: "filter", Value: bson.D{{Key: "ts", Value: bson.D{{Key: "$gt", Value: r.begun}}}, {Key: "$or", Value: ours}}},
	})
	if err != nil {
		return "", err
	}
	if ok, _ := reply.Lookup("ok").AsInt64OK(); ok != 1 {
		return r.normal.reply(reply), nil
	}
	list, err := reply.Lookup("cursor", "firstBatch").Array().Values()
	if err != nil {
		return "", err
	}
	entries := make([]bson.Raw, len(list))
	for i, v := range list {
		entries[i] = v.Document()
	}
	return r.normal.entries(entries), nil
}
