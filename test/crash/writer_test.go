package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/test/internal/ledger"
)

const (
	database = "crash"
	journal  = "journal"  // {_id: "w<writer>/<n>", n}: inserted and deleted
	counters = "counters" // {_id: "w<writer>/<name>", v}: counted up
)

// operation is one retryable command, its bytes fixed, and what must come of it.
type operation struct {
	name    string
	command bson.Raw
	changes []ledger.Change
	check   func(reply bson.Raw) error
	// parts are the commands of a transaction but for what makes them its own; there is no command then.
	parts []bson.D
}

// writer is one session's sequence of operations, each sent until it is acknowledged. What it holds is the truth that the server is
// compared with: nobody else writes these documents.
type writer struct {
	id        string
	server    *endpoint
	acked     func()
	random    *rand.Rand
	lsid      bson.D
	txnNumber int64
	sequence  int64
	documents []string         // ids in the journal, oldest first
	counters  map[string]int64 // by id
	changes   []ledger.Change
	resent    int // operations that were acknowledged only after they had been sent before
}

func newWriter(id string, server *endpoint, seed uint64, acked func()) *writer {
	random := rand.New(rand.NewPCG(seed, 1))
	session := make([]byte, 16)
	for i := range session {
		session[i] = byte(random.Uint32())
	}
	return &writer{
		id: id, server: server, acked: acked, random: random,
		lsid:     bson.D{{Key: "id", Value: bson.Binary{Subtype: bson.TypeBinaryUUID, Data: session}}},
		counters: map[string]int64{},
	}
}

// work writes until stop is closed, and finishes the operation that it is at. It returns an error when the server answered wrongly.
func (w *writer) work(ctx context.Context, stop <-chan struct{}) error {
	var c *conn
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		var err error
		op := w.next()
		perform := w.perform
		if op.parts != nil {
			perform = w.transact
		}
		if c, err = perform(ctx, c, op); err != nil {
			return fmt.Errorf("writer %s, transaction number %d: %w", w.id, w.txnNumber, err)
		}
		w.acked()
	}
}

// perform sends op over c, and over new connections with the same bytes, until it is acknowledged.
func (w *writer) perform(ctx context.Context, c *conn, op operation) (*conn, error) {
	for sent := 0; ; sent++ {
		if c == nil {
			var err error
			if c, err = w.server.dial(ctx); err != nil {
				return nil, err
			}
		}
		reply, err := c.run(ctx, op.command)
		if err != nil { // killed, or the test is over, which dial says
			c.close()
			c = nil
			continue
		}
		var refused *serverError
		if err := replyError(reply); errors.As(err, &refused) && refused.has("RetryableWriteError") {
			wait(ctx, 5*time.Millisecond) // not the primary yet
			continue
		} else if err != nil {
			return c, fmt.Errorf("%s, sent %d times: %w", op.name, sent+1, err)
		}
		if err := op.check(reply); err != nil {
			return c, fmt.Errorf("%s, sent %d times: %w, reply %s", op.name, sent+1, err, reply)
		}
		if sent > 0 {
			w.resent++
		}
		w.changes = append(w.changes, op.changes...)
		return c, nil
	}
}

// next makes the next operation, and counts on it to happen.
func (w *writer) next() operation {
	w.txnNumber++
	switch kind := w.random.IntN(12); {
	case kind >= 10:
		return w.transaction()
	case kind < 3 || len(w.documents) == 0:
		return w.insert(1)
	case kind < 4:
		return w.insert(2 + w.random.IntN(4))
	case kind < 6:
		return w.increment(1 + w.random.IntN(2))
	case kind < 8:
		return w.findAndIncrement()
	case kind < 9:
		return w.remove()
	default:
		return w.findAndRemove()
	}
}

// retryable makes the command: its own fields, then what makes it a durable write of this session that may be repeated.
func (w *writer) retryable(fields bson.D) bson.Raw {
	return document(append(fields,
		bson.E{Key: "lsid", Value: w.lsid},
		bson.E{Key: "txnNumber", Value: w.txnNumber},
		bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}}},
		bson.E{Key: "$db", Value: database},
	))
}

func (w *writer) insert(count int) operation {
	op := operation{name: "insert", check: expectInt("n", int64(count))}
	var documents bson.A
	for range count {
		w.sequence++
		id := fmt.Sprintf("%s/%d", w.id, w.sequence)
		w.documents = append(w.documents, id)
		documents = append(documents, bson.D{{Key: "_id", Value: id}, {Key: "n", Value: w.sequence}})
		op.changes = append(op.changes, ledger.Change{Op: "insert", ID: id, N: w.sequence})
	}
	op.command = w.retryable(bson.D{{Key: "insert", Value: journal}, {Key: "documents", Value: documents}})
	return op
}

// count adds one to a counter and says how the stream will show it: the first time as an upsert's insert.
func (w *writer) count(id string) ledger.Change {
	w.counters[id]++
	if w.counters[id] == 1 {
		return ledger.Change{Op: "insert", ID: id, N: 1}
	}
	return ledger.Change{Op: "update", ID: id, N: w.counters[id]}
}

var addOne = bson.D{{Key: "$inc", Value: bson.D{{Key: "v", Value: int64(1)}}}}

// increment counts up some counters, one statement each, so that a retry may find some of them done.
func (w *writer) increment(statements int) operation {
	op := operation{name: "update", check: expectInt("n", int64(statements))}
	var updates bson.A
	for i := range statements {
		id := fmt.Sprintf("%s/update%d", w.id, i)
		op.changes = append(op.changes, w.count(id))
		updates = append(updates, bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: id}}}, {Key: "u", Value: addOne}, {Key: "upsert", Value: true}})
	}
	op.command = w.retryable(bson.D{{Key: "update", Value: counters}, {Key: "updates", Value: updates}})
	return op
}

// findAndIncrement checks the reply too: a retry must answer with the document as the first attempt left it.
func (w *writer) findAndIncrement() operation {
	id := w.id + "/find"
	changed := w.count(id)
	return operation{
		name: "findAndModify", changes: []ledger.Change{changed}, check: expectInt("value.v", changed.N),
		command: w.retryable(bson.D{
			{Key: "findAndModify", Value: counters},
			{Key: "query", Value: bson.D{{Key: "_id", Value: id}}},
			{Key: "update", Value: addOne},
			{Key: "upsert", Value: true},
			{Key: "new", Value: true},
		}),
	}
}

// take removes an id from those that the journal must hold at the end.
func (w *writer) take() string {
	i := w.random.IntN(len(w.documents))
	id := w.documents[i]
	w.documents = slices.Delete(w.documents, i, i+1)
	return id
}

func (w *writer) remove() operation {
	id := w.take()
	return operation{
		name: "delete", changes: []ledger.Change{{Op: "delete", ID: id}}, check: expectInt("n", 1),
		command: w.retryable(bson.D{
			{Key: "delete", Value: journal},
			{Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: id}}}, {Key: "limit", Value: 1}}}},
		}),
	}
}

// findAndRemove must answer with the deleted document, also when a retry finds it deleted already.
func (w *writer) findAndRemove() operation {
	id := w.take()
	return operation{
		name: "findAndModify with remove", changes: []ledger.Change{{Op: "delete", ID: id}},
		command: w.retryable(bson.D{{Key: "findAndModify", Value: journal}, {Key: "query", Value: bson.D{{Key: "_id", Value: id}}}, {Key: "remove", Value: true}}),
		check: func(reply bson.Raw) error {
			if got, _ := reply.Lookup("value", "_id").StringValueOK(); got != id {
				return fmt.Errorf("value._id is %q, want %q", got, id)
			}
			return nil
		},
	}
}

// content is what the two collections must hold of this writer: the value of n or v by id.
func (w *writer) content() map[string]int64 {
	all := maps.Clone(w.counters)
	for _, id := range w.documents {
		var n int64
		if _, err := fmt.Sscanf(id, w.id+"/%d", &n); err != nil {
			panic(err) // ids are made above
		}
		all[id] = n
	}
	return all
}

// expectInt checks one number of a reply, named by its path.
func expectInt(path string, want int64) func(bson.Raw) error {
	return func(reply bson.Raw) error {
		value := lookup(reply, path)
		if got, ok := value.AsInt64OK(); !ok || got != want {
			return fmt.Errorf("%s is %s, want %d", path, value, want)
		}
		return nil
	}
}
