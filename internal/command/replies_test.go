package command

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/golden"
	"github.com/sluicestream/sluice/internal/oplog"
)

// TestReplies runs the conversations of testdata/replies, each against a server of its own. In a file
//
//	> db {command}   is a command, with "$cursor" for the newest cursor's id
//	< {reply}        is its reply, without what differs between runs
//	< hang up        stands for a connection that was closed; the next command comes by a new one
//	> oplog          shows what was logged since it was last shown, an entry a line
//	> connect        makes a new connection
func TestReplies(t *testing.T) {
	t.Parallel()
	golden.Files(t, "testdata/replies/*.txt", func(t *testing.T, text string) string { return newConversation(t).play(t, text) })
}

// conversation is a client of a server of its own.
type conversation struct {
	server *Server
	conn   *Conn
	cursor string
	logged oplog.Timestamp
}

func newConversation(t *testing.T) *conversation {
	t.Helper()
	server, err := Open(context.Background(), Config{ReplicaSet: "rs0", TestCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{server: server, logged: server.store.Applied()}
	c.connect()
	t.Cleanup(func() {
		c.conn.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *conversation) connect() {
	if c.conn != nil {
		c.conn.Close()
	}
	c.conn = c.server.NewConn(ConnInfo{ID: 1, Remote: "127.0.0.1:40000", Advertised: "127.0.0.1:27017"})
}

// play runs the commands of a conversation and returns it with the replies that came.
func (c *conversation) play(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "<") {
			continue
		}
		out.WriteString(line)
		line = strings.TrimSpace(line)
		switch {
		case line == "> connect":
			c.connect()
		case line == "> oplog":
			for _, entry := range c.log(t) {
				fmt.Fprintf(&out, "< %s\n", entry)
			}
		case strings.HasPrefix(line, "> "):
			db, cmd, _ := strings.Cut(line[2:], " ")
			fmt.Fprintf(&out, "< %s\n", c.run(t, db, cmd))
		}
	}
	return out.String()
}

func (c *conversation) run(t *testing.T, db, cmd string) string {
	t.Helper()
	if c.cursor != "" {
		cmd = strings.ReplaceAll(cmd, `"$cursor"`, `{"$numberLong":"`+c.cursor+`"}`)
	}
	var body bson.D
	if err := bson.UnmarshalExtJSON([]byte(cmd), false, &body); err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	raw, err := bson.Marshal(append(body, bson.E{Key: "$db", Value: db}))
	if err != nil {
		t.Fatal(err)
	}
	reply, then := c.conn.Run(context.Background(), &Request{Body: raw}, nil)
	if then == ThenHangUp {
		c.connect()
		return "hang up"
	}
	if cursor, ok := bson.Raw(reply).Lookup("cursor", "id").AsInt64OK(); ok && cursor != 0 {
		c.cursor = fmt.Sprint(cursor)
	}
	return render(t, reply, "$clusterTime", "operationTime")
}

// log renders the oplog entries since the last call.
func (c *conversation) log(t *testing.T) []string {
	t.Helper()
	if err := c.server.store.WaitDurable(context.Background(), c.server.store.Applied()); err != nil {
		t.Fatal(err)
	}
	var lines []string
	end, err := c.server.store.Scan(context.Background(), c.logged+1, func(e *oplog.Entry) (bool, error) {
		lines = append(lines, render(t, e.Raw, "ts", "t", "v", "wall"))
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.logged = end
	return lines
}

// What differs between runs, or would be hard to read.
var normalise = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\{"\$binary":\{"base64":"[^"]*","subType":"04"\}\}`), `"<uuid>"`},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), `<uuid>`},
	{regexp.MustCompile(`"processId":\{"\$oid":"[0-9a-f]*"\}`), `"processId":"<process>"`},
	{regexp.MustCompile(`\{"_data":"[0-9A-F]*"(,"_typeBits":\{"\$binary":\{[^}]*\}\})?\}`), `"<token>"`},
	{regexp.MustCompile(`\{"\$timestamp":\{[^}]*\}\}`), `"<timestamp>"`},
	{regexp.MustCompile(`Timestamp\([1-9][0-9]*, [0-9]+\)`), `<timestamp>`},
	{regexp.MustCompile(`\{"\$date":\{"\$numberLong":"[^"]*"\}\}`), `"<date>"`},
	{regexp.MustCompile(`"serverInfo":\{[^}]*\}[^}]*\}`), `"serverInfo":"<server>"`},
	{regexp.MustCompile(`"executionTimeMillis":\{[^}]*\}`), `"executionTimeMillis":"<time>"`},
	{regexp.MustCompile(`"id":\{"\$numberLong":"[1-9][0-9]*"\}`), `"id":"<cursor>"`},
	{regexp.MustCompile(`cursor id [0-9]+`), `cursor id <cursor>`},
	{regexp.MustCompile(`\{"\$numberInt":"([^"]*)"\}`), `$1`},
	{regexp.MustCompile(`\{"\$numberLong":"([^"]*)"\}`), `${1}L`},
	{regexp.MustCompile(`\{"\$numberDouble":"([^"]*)"\}`), `$1`},
}

func render(t *testing.T, doc bsonraw.Doc, without ...string) string {
	t.Helper()
	var d bson.D
	if err := bson.Unmarshal(doc, &d); err != nil {
		t.Fatal(err)
	}
	kept := bson.D{}
	for _, e := range d {
		if !slices.Contains(without, e.Key) {
			kept = append(kept, e)
		}
	}
	text, err := bson.MarshalExtJSON(kept, true, false)
	if err != nil {
		t.Fatal(err)
	}
	line := string(text)
	for _, n := range normalise {
		line = n.pattern.ReplaceAllString(line, n.with)
	}
	return line
}
