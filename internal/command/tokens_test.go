package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/store"
)

// on opens a server on a folder, as its only user, with a limited oplog if oplogBytes is not 0. What is trimmed would have room in memory.
func on(t *testing.T, dir string, oplogBytes int64) *conversation {
	t.Helper()
	return openWith(t, store.Config{Dir: dir, OplogMaxBytes: oplogBytes})
}

func openWith(t *testing.T, config store.Config) *conversation {
	t.Helper()
	server, err := Open(t.Context(), Config{ReplicaSet: "rs0", Store: config})
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{server: server}
	c.connect()
	return c
}

// end closes the server as it should be.
func (c *conversation) end(t *testing.T) {
	t.Helper()
	c.conn.Close()
	if err := c.server.Close(); err != nil {
		t.Error(err)
	}
}

// watched is what a stream of the tests watches.
type watched struct{ db, coll string }

func (w watched) command(options bson.D, batchSize int32) bson.D {
	var target any = w.coll
	if w.coll == "" {
		target = 1
	}
	if w.db == "admin" {
		options = append(options, bson.E{Key: "allChangesForCluster", Value: true})
	}
	cursor := bson.D{}
	if batchSize >= 0 {
		cursor = bson.D{{Key: "batchSize", Value: batchSize}}
	}
	return bson.D{{Key: "aggregate", Value: target}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: options}}}}, {Key: "cursor", Value: cursor}}
}

var scopes = []watched{{"shop", "orders"}, {"shop", ""}, {"admin", ""}}

// after opens a stream and returns the events that are there; failed is the code that it has in place of them.
func (c *conversation) after(t *testing.T, w watched, start bson.E) (events []bson.Raw, closed bool, failed int32) {
	t.Helper()
	reply := send(t, c.conn, w.db, w.command(bson.D{start, {Key: "showExpandedEvents", Value: true}}, 1000))
	if code, is := reply.Lookup("code").AsInt64OK(); is {
		return nil, false, int32(code)
	}
	values, err := reply.Lookup("cursor", "firstBatch").Array().Values()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		events = append(events, v.Document())
	}
	return events, reply.Lookup("cursor", "id").Int64() == 0, 0
}

// answer is what after gives, as text.
func (c *conversation) answer(t *testing.T, w watched, start bson.E) string {
	t.Helper()
	events, closed, failed := c.after(t, w, start)
	if failed != 0 {
		return fmt.Sprint("error ", failed)
	}
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.Lookup("operationType").StringValue() + " " + e.Lookup("_id", "_data").StringValue() + " ")
	}
	fmt.Fprint(&b, "closed ", closed)
	return b.String()
}

// version1 is a token as mongod 6.0 gives it for the same event.
func version1(t *testing.T, token bson.Raw) bson.Raw {
	t.Helper()
	k, err := changestream.ParseToken([]byte(token))
	if err != nil {
		t.Fatal(err)
	}
	k.Version = 1
	if k.Identifier != nil {
		switch kind := k.Identifier.Lookup("operationType").Str(); kind {
		case "insert", "update", "replace", "delete":
			k.Identifier = k.Identifier.Lookup("documentKey").Doc()
		case "drop", "rename", "dropDatabase":
			k.Identifier = nil
		}
	}
	return bson.Raw(k.Append(nil))
}

// livedThrough is a history with everything that has a token, in the database shop, and its events as all scopes saw them while they happened.
func livedThrough(t *testing.T, c *conversation) (tokens []bson.Raw) {
	t.Helper()
	position := func(w watched) (int64, bson.Raw) {
		cursor := c.ask(t, w.db, w.command(bson.D{{Key: "showExpandedEvents", Value: true}}, 0)).Lookup("cursor").Document()
		return cursor.Lookup("id").Int64(), cursor.Lookup("postBatchResumeToken").Document()
	}
	ids := map[watched]int64{}
	for _, w := range scopes {
		id, token := position(w)
		ids[w], tokens = id, append(tokens, token)
	}
	read := func() {
		for _, w := range scopes {
			if ids[w] == 0 {
				continue
			}
			name := w.coll
			if name == "" {
				name = "$cmd.aggregate"
			}
			cursor := c.ask(t, w.db, bson.D{{Key: "getMore", Value: ids[w]}, {Key: "collection", Value: name}, {Key: "maxTimeMS", Value: 1}}).Lookup("cursor").Document()
			values, err := cursor.Lookup("nextBatch").Array().Values()
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				tokens = append(tokens, v.Document().Lookup("_id").Document())
			}
			ids[w] = cursor.Lookup("id").Int64()
			tokens = append(tokens, cursor.Lookup("postBatchResumeToken").Document())
		}
	}
	shop := func(command bson.D) { c.ask(t, "shop", command) }
	update := func(u bson.D) bson.D {
		return bson.D{{Key: "update", Value: "orders"}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: bson.D{}}, {Key: "u", Value: u}, {Key: "multi", Value: u[0].Key == "$set"}}}}}
	}
	shop(bson.D{{Key: "create", Value: "orders"}, {Key: "changeStreamPreAndPostImages", Value: bson.D{{Key: "enabled", Value: true}}}})
	shop(insertOf("orders", bson.D{{Key: "_id", Value: int64(1)}}))
	shop(insertOf("orders", bson.D{{Key: "_id", Value: "two"}}))
	shop(update(bson.D{{Key: "$set", Value: bson.D{{Key: "a", Value: 1}}}}))
	read()
	c.ask(t, "elsewhere", insertOf("orders", bson.D{{Key: "_id", Value: 1}}))
	shop(insertOf("other", bson.D{{Key: "_id", Value: 1}}))
	read()
	session := bson.E{Key: "lsid", Value: bson.D{{Key: "id", Value: bson.Binary{Subtype: 4, Data: bytes.Repeat([]byte{7}, 16)}}}}
	in := func(command bson.D, more ...bson.E) bson.D {
		return append(append(command, session, bson.E{Key: "txnNumber", Value: int64(1)}, bson.E{Key: "autocommit", Value: false}), more...)
	}
	shop(in(insertOf("orders", bson.D{{Key: "_id", Value: 3}}), bson.E{Key: "startTransaction", Value: true}))
	shop(in(insertOf("other", bson.D{{Key: "_id", Value: 3}})))
	shop(in(update(bson.D{{Key: "b", Value: 1}})))
	c.ask(t, "admin", in(bson.D{{Key: "commitTransaction", Value: 1}}))
	read()
	shop(bson.D{{Key: "createIndexes", Value: "orders"}, {Key: "indexes", Value: bson.A{bson.D{{Key: "key", Value: bson.D{{Key: "a", Value: 1.0}}}, {Key: "name", Value: "a"}}}}})
	shop(bson.D{{Key: "collMod", Value: "orders"}, {Key: "validationLevel", Value: "off"}})
	c.ask(t, "admin", bson.D{{Key: "renameCollection", Value: "shop.orders"}, {Key: "to", Value: "shop.archive"}})
	read()
	shop(insertOf("orders", bson.D{{Key: "_id", Value: 1}}))
	shop(bson.D{{Key: "delete", Value: "orders"}, {Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: bson.D{}}, {Key: "limit", Value: 0}}}}})
	shop(bson.D{{Key: "drop", Value: "orders"}})
	read()
	shop(insertOf("orders", bson.D{{Key: "_id", Value: 1}}))
	shop(bson.D{{Key: "dropDatabase", Value: 1}})
	read()
	shop(insertOf("orders", bson.D{{Key: "_id", Value: 9}}))
	read()
	return tokens
}

// answers are what streams give that begin at tokens, in all scopes and ways.
func (c *conversation) answers(t *testing.T, tokens []bson.Raw) (list []string) {
	t.Helper()
	for _, token := range tokens {
		for _, w := range scopes {
			for _, way := range []string{"resumeAfter", "startAfter"} {
				list = append(list, c.answer(t, w, bson.E{Key: way, Value: token}))
			}
		}
	}
	return list
}

// A token is worth the same after the server was closed and opened again, or killed at any moment after what the token is of was acknowledged; and
// so is the token that a server of version 6.0 would have given.
func TestTokensOutliveTheServer(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]func(t *testing.T, c *conversation, dir string) string{
		"closed": func(t *testing.T, c *conversation, dir string) string {
			t.Helper()
			c.end(t)
			return dir
		},
		"killed": func(t *testing.T, c *conversation, dir string) string {
			t.Helper()
			// The files as they are: what a process leaves that ends without a word.
			left := filepath.Join(t.TempDir(), "left")
			if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			c.end(t)
			return left
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			c := on(t, dir, 0)
			tokens := livedThrough(t, c)
			before := c.answers(t, tokens)
			c = on(t, restart(t, c, dir), 0)
			defer c.end(t)
			older := make([]bson.Raw, len(tokens))
			for i, token := range tokens {
				older[i] = version1(t, token)
			}
			after, ofOlder := c.answers(t, tokens), c.answers(t, older)
			for i, want := range before {
				if after[i] != want {
					t.Errorf("token %v\nbefore %s\nafter  %s", tokens[i/6], want, after[i])
				}
				if ofOlder[i] != want {
					t.Errorf("token %v\nversion 2 %s\nversion 1 %s", tokens[i/6], want, ofOlder[i])
				}
			}
		})
	}
}

// kinds are the operationTypes of events.
func kinds(events []bson.Raw) string {
	var list []string
	for _, e := range events {
		list = append(list, e.Lookup("operationType").StringValue())
	}
	return strings.Join(list, " ")
}

// What became of a collection after a token was given decides what follows.
func TestTokensAndWhatBecameOfTheirCollection(t *testing.T) {
	t.Parallel()
	const ok = int32(0)
	orders, archive, database, cluster := watched{"shop", "orders"}, watched{"shop", "archive"}, watched{"shop", ""}, watched{"admin", ""}
	drop := bson.D{{Key: "drop", Value: "orders"}}
	rename := bson.D{{Key: "renameCollection", Value: "shop.orders"}, {Key: "to", Value: "shop.archive"}}
	dropDatabase := bson.D{{Key: "dropDatabase", Value: 1}}
	for _, c := range []struct {
		name   string
		end    bson.D
		from   string // the kind of event that the token is of
		w      watched
		way    string
		want   string
		closed bool
		code   int32
	}{
		{"before a drop", drop, "insert", orders, "resumeAfter", "drop invalidate", true, ok},
		{"before a drop, of the database", drop, "insert", database, "resumeAfter", "drop create insert", false, ok},
		{"of the drop", drop, "drop", orders, "resumeAfter", "invalidate", true, ok},
		{"of the drop, started after", drop, "drop", orders, "startAfter", "invalidate", true, ok},
		{"of the drop, on the database", drop, "drop", database, "resumeAfter", "create insert", false, ok},
		{"of the invalidation", drop, "invalidate", orders, "startAfter", "create insert", false, ok},
		{"of the invalidation, resumed", drop, "invalidate", orders, "resumeAfter", "", false, 260},
		{"of the invalidation, on the database", drop, "invalidate", database, "startAfter", "", false, 280},
		{"before a rename", rename, "insert", orders, "resumeAfter", "rename invalidate", true, ok},
		{"before a rename, under the new name", rename, "insert", archive, "resumeAfter", "", false, 280},
		{"of the rename", rename, "rename", orders, "resumeAfter", "invalidate", true, ok},
		{"of the rename, under the new name", rename, "rename", archive, "resumeAfter", "invalidate", true, ok},
		{"of the rename's invalidation", rename, "invalidate", orders, "startAfter", "create insert", false, ok},
		{"of the rename, on the cluster", rename, "rename", cluster, "startAfter", "create insert", false, ok},
		{"before a dropDatabase", dropDatabase, "insert", orders, "resumeAfter", "drop invalidate", true, ok},
		{"before a dropDatabase, on it", dropDatabase, "insert", database, "resumeAfter", "drop dropDatabase invalidate", true, ok},
		{"of a dropDatabase, on a collection", dropDatabase, "dropDatabase", orders, "resumeAfter", "", false, 260},
		{"of a dropDatabase", dropDatabase, "dropDatabase", database, "resumeAfter", "invalidate", true, ok},
		{"of a dropDatabase, on the cluster", dropDatabase, "dropDatabase", cluster, "resumeAfter", "create insert", false, ok},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newConversation(t)
			s.ask(t, "shop", bson.D{{Key: "create", Value: "orders"}})
			first := s.ask(t, "shop", insertOf("orders", bson.D{{Key: "_id", Value: 1}}))
			seconds, increment := first.Lookup("operationTime").Timestamp()
			db := "shop"
			if c.end[0].Key == "renameCollection" {
				db = "admin"
			}
			s.ask(t, db, c.end)
			s.ask(t, "shop", insertOf("orders", bson.D{{Key: "_id", Value: 2}}))
			var token bson.Raw
			for _, w := range []watched{orders, database} {
				events, _, _ := s.after(t, w, bson.E{Key: "startAtOperationTime", Value: bson.Timestamp{T: seconds, I: increment}})
				for _, e := range events {
					if token == nil && e.Lookup("operationType").StringValue() == c.from {
						token = e.Lookup("_id").Document()
					}
				}
			}
			events, closed, code := s.after(t, c.w, bson.E{Key: c.way, Value: token})
			if got := kinds(events); got != c.want || closed != c.closed || code != c.code {
				t.Errorf("%q, closed %t, code %d; want %q, %t, %d", got, closed, code, c.want, c.closed, c.code)
			}
		})
	}
}

// A token that the oplog no longer reaches is refused with 286, for good: also after a restart, and by whoever reads first. Younger ones go on.
func TestTokensBehindATrim(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	c := on(t, dir, 64<<10)
	orders := scopes[0]
	start := c.ask(t, "shop", orders.command(bson.D{}, -1)).Lookup("cursor", "postBatchResumeToken").Document()
	reply := c.ask(t, "shop", insertOf("orders", bson.D{{Key: "_id", Value: "first"}}))
	seconds, increment := reply.Lookup("operationTime").Timestamp()
	first, _, _ := c.after(t, orders, bson.E{Key: "resumeAfter", Value: start})
	lost := []bson.E{
		{Key: "resumeAfter", Value: start},
		{Key: "startAfter", Value: first[0].Lookup("_id")},
		{Key: "resumeAfter", Value: version1(t, first[0].Lookup("_id").Document())},
		{Key: "startAtOperationTime", Value: bson.Timestamp{T: seconds, I: increment}},
	}
	// Streams that have read nothing yet, and one that waits.
	unread := map[int64]bool{}
	for _, from := range lost {
		unread[c.ask(t, "shop", orders.command(bson.D{from}, 0)).Lookup("cursor", "id").Int64()] = true
	}
	n := 0
	for trimmed := false; !trimmed; n++ {
		if n == 1000 {
			t.Fatal("the oplog is not trimmed")
		}
		c.ask(t, "shop", insertOf("orders", bson.D{{Key: "_id", Value: n}, {Key: "text", Value: strings.Repeat("x", 2000)}}))
		trimmed = c.answer(t, orders, lost[1]) == "error 286"
	}
	last := c.ask(t, "shop", orders.command(bson.D{}, -1)).Lookup("cursor", "postBatchResumeToken").Document()
	for id := range unread {
		reply := send(t, c.conn, "shop", bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: "orders"}})
		if code := reply.Lookup("code"); code.IsZero() || code.Int32() != 286 || reply.Lookup("errorLabels", "0").StringValue() != "NonResumableChangeStreamError" {
			t.Errorf("a stream that had read nothing: %v", reply)
		}
	}
	for range 2 {
		for _, from := range lost {
			for _, w := range scopes {
				if got := c.answer(t, w, from); got != "error 286" {
					t.Errorf("%v on %v: %s, want error 286", from, w, got)
				}
			}
		}
		if got := c.answer(t, orders, bson.E{Key: "resumeAfter", Value: last}); strings.Contains(got, "error") {
			t.Errorf("a young token: %s", got)
		}
		c.end(t)
		c = on(t, dir, 64<<10)
	}
	c.end(t)
}

// What is younger than the oplog's least age is kept, whatever its size.
func TestTokensOfAYoungOplog(t *testing.T) {
	t.Parallel()
	orders := scopes[0]
	config := store.Config{Dir: filepath.Join(t.TempDir(), "data"), OplogMaxBytes: 64 << 10, OplogMinAge: time.Hour}
	c := openWith(t, config)
	start := bson.E{Key: "resumeAfter", Value: c.ask(t, "shop", orders.command(bson.D{}, -1)).Lookup("cursor", "postBatchResumeToken")}
	n := 0
	write := func() {
		c.ask(t, "shop", insertOf("orders", bson.D{{Key: "_id", Value: n}, {Key: "text", Value: strings.Repeat("x", 2000)}}))
		n++
	}
	for range 300 { // ten times what the size allows
		write()
	}
	if events, _, failed := c.after(t, orders, start); len(events) != n+1 || failed != 0 {
		t.Errorf("%d events (error %d) of %d writes and a creation", len(events), failed, n)
	}
	c.end(t)
	config.OplogMinAge = 0
	c = openWith(t, config)
	defer c.end(t)
	for trimmed := false; !trimmed; trimmed = c.answer(t, orders, start) == "error 286" {
		if n > 1000 {
			t.Fatal("what was kept for its age is not trimmed without it")
		}
		write()
	}
}

// Of events at the time of a token those before it are passed over, and it must be among them: the first that comes after it tells.
func TestTokensOfEventsThatAreNot(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	orders := scopes[0]
	start := c.ask(t, "shop", orders.command(bson.D{}, -1)).Lookup("cursor", "postBatchResumeToken")
	for _, id := range []string{"b", "y"} {
		c.ask(t, "shop", insertOf("orders", bson.D{{Key: "_id", Value: id}}))
	}
	events, _, _ := c.after(t, orders, bson.E{Key: "resumeAfter", Value: start})
	events = events[1:] // behind the creation
	with := func(change func(*changestream.Token)) bson.E {
		k, err := changestream.ParseToken([]byte(events[1].Lookup("_id").Document()))
		if err != nil {
			t.Fatal(err)
		}
		change(&k)
		return bson.E{Key: "resumeAfter", Value: bson.Raw(k.Append(nil))}
	}
	key := func(id string) func(*changestream.Token) {
		return func(k *changestream.Token) {
			b, err := bson.Marshal(bson.D{{Key: "operationType", Value: "insert"}, {Key: "documentKey", Value: bson.D{{Key: "_id", Value: id}}}})
			if err != nil {
				t.Fatal(err)
			}
			k.Identifier = b
		}
	}
	cases := []struct {
		name         string
		start        bson.E
		first, later string // without and with a later event
	}{
		{"itself", with(func(*changestream.Token) {}), "closed false", "insert closed false"},
		{"surpassed by the event of its time", with(key("a")), "error 280", "error 280"},
		{"not surpassed by the event of its time", with(key("z")), "closed false", "error 280"},
		{"a later operation of a transaction", with(func(k *changestream.Token) { k.TxnOpIndex = 1 }), "closed false", "error 280"},
		{"an invalidation", bson.E{Key: "startAfter", Value: with(func(k *changestream.Token) { k.FromInvalidate = true }).Value}, "closed false", "error 280"},
		{"a time behind", with(func(k *changestream.Token) { k.ClusterTime += 1 << 32 }), "closed false", "closed false"},
		{"a high-water mark", with(func(k *changestream.Token) { *k = changestream.HighWaterMark(k.ClusterTime) }), "insert closed false", strings.Repeat("insert ", 2) + "closed false"},
	}
	ask := func(start bson.E) string {
		var words []string
		for word := range strings.FieldsSeq(c.answer(t, orders, start)) {
			if len(word) < 20 { // no token
				words = append(words, word)
			}
		}
		return strings.Join(words, " ")
	}
	for _, k := range cases {
		if got := ask(k.start); got != k.first {
			t.Errorf("%s: %s, want %s", k.name, got, k.first)
		}
	}
	c.ask(t, "shop", insertOf("orders", bson.D{{Key: "_id", Value: "last"}}))
	for _, k := range cases {
		if got := ask(k.start); got != k.later {
			t.Errorf("%s, with a later event: %s, want %s", k.name, got, k.later)
		}
	}
}
