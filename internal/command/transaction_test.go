package command

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// session is a client's session, for commands in transactions.
type testSession struct {
	*conversation
	t    *testing.T
	lsid bson.D
	txn  int64
}

func newSession(t *testing.T, c *conversation, id byte) *testSession {
	return &testSession{conversation: c, t: t, lsid: bson.D{{Key: "id", Value: bson.Binary{Subtype: 4, Data: append(make([]byte, 15), id)}}}}
}

// in adds what makes a command one of the session's transaction.
func (s *testSession) in(cmd bson.D) bson.D {
	return append(cmd, bson.E{Key: "lsid", Value: s.lsid}, bson.E{Key: "txnNumber", Value: s.txn}, bson.E{Key: "autocommit", Value: false})
}

// begin begins the session's next transaction with a command.
func (s *testSession) begin(cmd bson.D) bson.Raw {
	s.t.Helper()
	s.txn++
	return send(s.t, s.conn, "db", append(s.in(cmd), bson.E{Key: "startTransaction", Value: true}))
}

func (s *testSession) run(cmd bson.D) bson.Raw {
	s.t.Helper()
	return send(s.t, s.conn, "db", s.in(cmd))
}

func (s *testSession) commit() bson.Raw {
	s.t.Helper()
	return send(s.t, s.conn, "admin", s.in(bson.D{{Key: "commitTransaction", Value: 1}}))
}

func insertOf(coll string, docs ...any) bson.D {
	return bson.D{{Key: "insert", Value: coll}, {Key: "documents", Value: bson.A(docs)}}
}

func (s *testSession) must(reply bson.Raw) bson.Raw {
	s.t.Helper()
	if reply.Lookup("ok").Double() != 1 {
		s.t.Fatal(reply)
	}
	return reply
}

// events reads a change stream on db.c to the end of what is there.
func events(t *testing.T, c *conversation, stage bson.D, batchSize int) []bson.Raw {
	t.Helper()
	cursor := c.ask(t, "db", bson.D{
		{Key: "aggregate", Value: "c"},
		{Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: stage}}}},
		{Key: "cursor", Value: bson.D{{Key: "batchSize", Value: batchSize}}},
	}).Lookup("cursor").Document()
	var all []bson.Raw
	for {
		batch := "firstBatch"
		if _, err := cursor.LookupErr(batch); err != nil {
			batch = "nextBatch"
		}
		values, err := cursor.Lookup(batch).Array().Values()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			all = append(all, v.Document())
		}
		if len(values) == 0 && batch == "nextBatch" {
			return all
		}
		cursor = c.ask(t, "db", bson.D{
			{Key: "getMore", Value: cursor.Lookup("id").Int64()},
			{Key: "collection", Value: "c"},
			{Key: "batchSize", Value: batchSize},
			{Key: "maxTimeMS", Value: 100},
		}).Lookup("cursor").Document()
	}
}

// The events of a transaction that takes several oplog entries have one time and a row of indexes, and a stream goes on from
// each of them, from the time of the transaction, and from the times of its first entries.
func TestEventsOfALargeTransaction(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "create", Value: "c"}})
	before := c.server.store.Applied()
	s := newSession(t, c, 1)
	large := strings.Repeat("x", 7<<20)
	const n = 8
	s.must(s.begin(insertOf("other", bson.D{{Key: "_id", Value: 0}})))
	for i := range n {
		text := large
		if i%4 == 3 {
			text = "small"
		}
		s.must(s.run(insertOf("c", bson.D{{Key: "_id", Value: i}, {Key: "text", Value: text}})))
	}
	s.must(s.commit())
	c.ask(t, "db", insertOf("c", bson.D{{Key: "_id", Value: "after"}}))

	start := func(ts oplog.Timestamp) bson.D {
		return bson.D{{Key: "startAtOperationTime", Value: bson.Timestamp{T: ts.Seconds(), I: ts.Increment()}}}
	}
	all := events(t, c, start(before+1), 3)
	if len(all) != n+1 {
		t.Fatalf("%d events, want %d", len(all), n+1)
	}
	seconds, increment := all[0].Lookup("clusterTime").Timestamp()
	for i, e := range all[:n] {
		sec, inc := e.Lookup("clusterTime").Timestamp()
		if sec != seconds || inc != increment || e.Lookup("documentKey", "_id").Int32() != int32(i) || e.Lookup("txnNumber").Int64() != s.txn {
			t.Errorf("event %d is %v at %d,%d", i, e.Lookup("documentKey"), sec, inc)
		}
	}
	whole := oplog.MakeTimestamp(seconds, increment)
	for at := whole; at >= whole-2; at-- { // the times of its entries
		if got := events(t, c, start(at), 100); len(got) != n+1 {
			t.Errorf("started at %v, %d before the transaction's time: %d events, want %d", at, whole-at, len(got), n+1)
		}
	}
	for i, e := range all {
		for _, batchSize := range []int{1, 100} {
			got := events(t, c, bson.D{{Key: "resumeAfter", Value: e.Lookup("_id").Document()}}, batchSize)
			if len(got) != n-i || len(got) > 0 && fmt.Sprint(got[0].Lookup("_id")) != fmt.Sprint(all[i+1].Lookup("_id")) {
				t.Errorf("resumed after event %d in batches of %d: %d events", i, batchSize, len(got))
			}
		}
	}
}

func TestTransactionIsEndedWhenItIsTooOld(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	s := newSession(t, c, 1)
	s.must(s.begin(insertOf("c", bson.D{{Key: "_id", Value: 1}})))
	c.server.transactions.expire(time.Now())
	s.must(s.run(insertOf("c", bson.D{{Key: "_id", Value: 2}})))
	c.server.transactions.expire(time.Now().Add(transactionLifetime + time.Second))
	if reply := s.run(insertOf("c", bson.D{{Key: "_id", Value: 3}})); reply.Lookup("code").Int32() != 251 {
		t.Errorf("after its time: %v", reply)
	}
	if n := c.ask(t, "db", bson.D{{Key: "count", Value: "c"}}).Lookup("n").Int32(); n != 0 {
		t.Errorf("%d documents are left of it", n)
	}
}

func TestTransactionIsKilledWithItsSession(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "create", Value: "c"}})
	s, other := newSession(t, c, 1), c.server.NewConn(ConnInfo{})
	defer other.Close()
	s.must(s.begin(insertOf("c", bson.D{{Key: "_id", Value: 1}})))
	c.ask(t, "admin", bson.D{{Key: "killAllSessions", Value: bson.A{}}})
	if reply := s.commit(); reply.Lookup("code").Int32() != 251 || !strings.Contains(fmt.Sprint(reply.Lookup("errorLabels")), "TransientTransactionError") {
		t.Errorf("commit after killAllSessions: %v", reply)
	}
	if reply := send(t, other, "db", insertOf("c", bson.D{{Key: "_id", Value: 1}})); reply.Lookup("n").Int32() != 1 {
		t.Errorf("a write that it stood in the way of: %v", reply)
	}
}

func TestCommittedTransactionIsRememberedAcrossRestarts(t *testing.T) {
	t.Parallel()
	cfg := Config{ReplicaSet: "rs0"}
	cfg.Store.Dir = t.TempDir()
	open := func() (*conversation, func()) {
		server, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		c := &conversation{server: server}
		c.connect()
		return c, func() {
			c.conn.Close()
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	c, shut := open()
	s := newSession(t, c, 1)
	s.must(s.begin(insertOf("c", bson.D{{Key: "_id", Value: 1}})))
	s.must(s.commit())
	lost := newSession(t, c, 2)
	lost.must(lost.begin(insertOf("c", bson.D{{Key: "_id", Value: 2}})))
	shut()
	if c, shut = open(); true {
		defer shut()
	}
	s.conversation, lost.conversation = c, c
	s.must(s.commit())
	if reply := s.run(insertOf("c", bson.D{{Key: "_id", Value: 3}})); reply.Lookup("code").Int32() != 256 {
		t.Errorf("a command after the commit: %v", reply)
	}
	if reply := lost.commit(); reply.Lookup("code").Int32() != 251 {
		t.Errorf("the commit of a transaction that was open: %v", reply)
	}
	if n := c.ask(t, "db", bson.D{{Key: "count", Value: "c"}}).Lookup("n").Int32(); n != 1 {
		t.Errorf("%d documents, want 1", n)
	}
}

// TestATransactionThatIsKilledEndsItsCommand ends a transaction from outside while a command of it is under way: the command ends with the
// reason, and what comes next on the connection is not touched by that.
func TestATransactionThatIsKilledEndsItsCommand(t *testing.T) {
	t.Parallel()
	s := newSession(t, withEndless(t), 1)
	s.must(s.begin(bson.D{{Key: "find", Value: "c"}}))
	s.server.transactions.mu.Lock()
	var open *transaction
	for open = range s.server.transactions.open {
	}
	s.server.transactions.mu.Unlock()
	go func() {
		for running := false; !running; runtime.Gosched() {
			open.mu.Lock()
			running = open.mu.running
			open.mu.Unlock()
		}
		s.server.transactions.killWhere(func(*transaction) bool { return true }, mongoerr.New(mongoerr.Interrupted, "because"))
	}()
	got := s.run(endlessCommands()["find"])
	if got.Lookup("errmsg").StringValue() != "because" {
		t.Errorf("the command is answered with %v", got)
	}
	if got := s.run(bson.D{{Key: "find", Value: "c"}}); got.Lookup("code").Int32() != int32(mongoerr.NoSuchTransaction) {
		t.Errorf("the next command of the transaction is answered with %v", got)
	}
	s.must(s.begin(insertOf("c", bson.D{})))
	s.must(s.commit())
}

// TestKilledTransactionIsNotCommitted ends a transaction when its commit has begun, but is not done: what the client is told, that the
// transaction may be run again, has to be true.
func TestKilledTransactionIsNotCommitted(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "create", Value: "c"}})
	s := newSession(t, c, 1)
	s.must(s.begin(insertOf("c", bson.D{{Key: "_id", Value: 1}})))
	x, err := c.server.sessions.touch(string(append(make([]byte, 15), 1)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := x.txn.start(func(error) {}); err != nil { // as a commit begins
		t.Fatal(err)
	}
	c.server.transactions.expire(time.Now().Add(transactionLifetime + time.Second))
	if _, _, err := x.txn.commit(&c.server.transactions, store.TxnID{}); !mongoerr.Is(err, mongoerr.TransactionExceededLifetimeLimitSeconds) {
		t.Errorf("the commit's error is %v", err)
	}
	x.txn.stop(&c.server.transactions, true)
	if n := c.ask(t, "db", bson.D{{Key: "count", Value: "c"}}).Lookup("n").AsInt64(); n != 0 {
		t.Errorf("%d documents of the transaction that was killed", n)
	}
	if code := codeOf(s.commit()); code != int32(mongoerr.NoSuchTransaction) {
		t.Errorf("code %d for another commit", code)
	}
	if n := c.server.transactions.len(); n != 0 {
		t.Errorf("%d open transactions", n)
	}
}

// TestStatementsOfOneCommandKeepTheirKeys has one statement find its document by a walk over what the transaction has written, without a
// change, and the next one ask for another _id: what is stored under which key stays.
func TestStatementsOfOneCommandKeepTheirKeys(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	s := newSession(t, c, 1)
	id := func(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }
	by := func(n int, q bson.D) bson.D {
		return bson.D{{Key: "q", Value: q}, {Key: "u", Value: bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: n}}}}}}
	}
	s.must(send(t, c.conn, "db", bson.D{{Key: "create", Value: "c"}}))
	s.must(s.begin(insertOf("c", id("a"), id("b"))))
	s.must(s.run(bson.D{{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{by(1, bson.D{}), by(0, bson.D{}), by(1, id("z")), by(1, id("b"))}}}))
	s.must(s.commit())
	reply := s.must(send(t, c.conn, "db", bson.D{{Key: "find", Value: "c"}}))
	if got, want := reply.Lookup("cursor", "firstBatch").String(), `[{"_id": "a","n": {"$numberInt":"1"}},{"_id": "b","n": {"$numberInt":"1"}}]`; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
	for _, of := range []string{"a", "b"} {
		reply := s.must(send(t, c.conn, "db", bson.D{{Key: "find", Value: "c"}, {Key: "filter", Value: id(of)}}))
		if got, _ := reply.Lookup("cursor", "firstBatch", "0", "_id").StringValueOK(); got != of {
			t.Errorf("the document of %s has _id %q", of, got)
		}
	}
}
