package command

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// currentOp {currentOp: 1, $all: <bool>, $ownOps: <bool>, <filter>} tells what is being executed, and with $all which connections are idle. All
// fields but these are a filter on what is told.
func currentOp(op *operation) error {
	all, where := false, []byte(nil)
	where, at := bsonraw.BeginDoc(where)
	for it := op.body.Iter(); it.Next(); {
		switch key := string(it.Key()); {
		case key == op.cmd.name, key == "$ownOps": // there are no users, so everything is everybody's own
		case key == "$all":
			all = it.Value().Truthy()
		case !isGeneric(it.Key()):
			where = append(where, it.Elem()...)
		}
	}
	f, err := filter.Compile(bsonraw.EndDoc(where, at), filter.Options{})
	if err != nil {
		return err
	}
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "inprog")
	list := bsonraw.BeginArray(op.out)
	for _, doc := range op.server.inProgress(all) {
		matched, err := f.Match(doc)
		if err != nil {
			return err
		}
		if matched {
			list.Append(bsonraw.Value{Type: bsonraw.TypeDocument, Data: doc})
		}
	}
	op.out = list.End()
	return nil
}

// inProgress describes the commands under way, by age of their connections; idle adds the connections that execute none.
func (s *Server) inProgress(idle bool) []bsonraw.Doc {
	var conns []*Conn
	s.connections.each(func(c *Conn) { conns = append(conns, c) })
	slices.SortFunc(conns, func(a, b *Conn) int { return int(a.info.ID - b.info.ID) })
	now := time.Now()
	var docs []bsonraw.Doc
	for _, c := range conns {
		if doc := c.describe(now, idle); doc != nil {
			docs = append(docs, doc)
		}
	}
	return docs
}

// describe tells what the connection executes; nil where it executes nothing and idle is false.
func (c *Conn) describe(now time.Time, idle bool) bsonraw.Doc {
	r := &c.running
	r.mu.Lock()
	defer r.mu.Unlock()
	active := r.cmd != nil
	if !active && !idle {
		return nil
	}
	out, at := bsonraw.BeginDoc(nil)
	out = bsonraw.AppendString(out, "type", "op")
	out = bsonraw.AppendString(out, "host", c.info.Advertised)
	out = bsonraw.AppendString(out, "desc", fmt.Sprintf("conn%d", c.info.ID))
	out = bsonraw.AppendInt32(out, "connectionId", c.info.ID)
	out = bsonraw.AppendString(out, "client", c.info.Remote)
	if c.appName != "" {
		out = bsonraw.AppendString(out, "appName", c.appName)
	}
	if c.client != nil {
		out = bsonraw.AppendDoc(out, "clientMetadata", c.client)
	}
	out = bsonraw.AppendBool(out, "active", active)
	out = bsonraw.AppendString(out, "currentOpTime", now.UTC().Format("2006-01-02T15:04:05.000-07:00"))
	out = bsonraw.AppendBool(out, "threaded", true)
	if active {
		out = r.appendCommand(out, now)
	}
	return bsonraw.EndDoc(out, at)
}

func (r *running) appendCommand(out []byte, now time.Time) []byte {
	out = bsonraw.AppendInt32(out, "opid", r.id)
	if r.lsid != nil {
		out = bsonraw.AppendDoc(out, "lsid", loggedLSID(r.lsid))
	}
	ran := now.Sub(r.started)
	out = bsonraw.AppendInt64(out, "secs_running", int64(ran/time.Second))
	out = bsonraw.AppendInt64(out, "microsecs_running", int64(ran/time.Microsecond))
	out = bsonraw.AppendString(out, "op", r.kind())
	out = bsonraw.AppendString(out, "ns", r.namespace())
	out = bsonraw.AppendDoc(out, "command", r.shown())
	if r.cursor != nil {
		out = r.cursor.appendState(out, r.started)
	}
	out = bsonraw.AppendInt32(out, "numYields", 0)
	out = bsonraw.AppendDoc(out, "locks", bsonraw.Empty)
	out = bsonraw.AppendBool(out, "waitingForLock", false)
	out = bsonraw.AppendDoc(out, "lockStats", bsonraw.Empty)
	return out
}

// shown is the command as others see it. One that goes on with a cursor and has no comment has that of the cursor's command.
func (r *running) shown() bsonraw.Doc {
	body := shortened(r.body)
	if r.cursor == nil || !body.Lookup("comment").IsMissing() {
		return body
	}
	comment := r.cursor.command.Lookup("comment")
	if comment.IsMissing() {
		return body
	}
	out, at := bsonraw.BeginDoc(nil)
	out = append(out, body[4:len(body)-1]...)
	return bsonraw.EndDoc(bsonraw.AppendValue(out, "comment", comment), at)
}

// maxCommandShown is how large a command may be, in bytes, to be shown as a whole.
const maxCommandShown = 4 << 10

// shortened returns a command that is too large to be shown without its arguments.
func shortened(body bsonraw.Doc) bsonraw.Doc {
	if len(body) <= maxCommandShown {
		return body
	}
	out, at := bsonraw.BeginDoc(nil)
	if it := body.Iter(); it.Next() && len(it.Elem()) <= maxCommandShown {
		out = append(out, it.Elem()...)
	}
	out = bsonraw.AppendBool(out, "$truncated", true)
	return bsonraw.EndDoc(out, at)
}

// kind is what the command counts as.
func (r *running) kind() string {
	switch r.cmd.name {
	case "insert", "update":
		return r.cmd.name
	case "delete":
		return "remove"
	case "find":
		return "query"
	case "getMore":
		return "getmore"
	}
	return "command"
}

// namespace is the collection that the command names, or that of the database's commands.
func (r *running) namespace() string {
	if ns := namespaceOf(r.cmd, r.db, r.body); !strings.HasSuffix(ns, ".") {
		return ns
	}
	if r.cmd.name == "aggregate" {
		return r.db + "." + noCollectionName
	}
	return r.db + ".$cmd"
}
