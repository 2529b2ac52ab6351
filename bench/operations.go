package main

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// durable is the write concern of every write.
var durable = bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}}}

// retryable is a write as drivers send it: its session's number tells the server's replies to a repetition apart from a new write.
type retryable struct {
	message
	number []byte // the place of txnNumber
}

// retryable makes a write of documents, or of update statements, in a sequence.
func (w *worker) retryable(name, collection, sequence string, documents ...bson.Raw) (retryable, error) {
	m, err := newMessage(databaseName, bson.D{
		{Key: name, Value: collection}, {Key: "ordered", Value: true}, durable, w.session, {Key: "txnNumber", Value: int64(0)},
	}, sequence, documents...)
	if err != nil {
		return retryable{}, err
	}
	return retryable{m, place(m.body(), "txnNumber")}, nil
}

// send sends a write under the session's next number.
func (w *worker) send(r retryable) (bson.Raw, error) {
	w.written++
	setNumber(r.number, w.written)
	return w.ask(r.message)
}

// inserting inserts new documents that hold the time at which they are sent.
func (p *peer) inserting(collection string, count int) task {
	return func(w *worker) (step, error) {
		documents := make([]bson.Raw, count)
		for i := range documents {
			documents[i] = newDocument(0)
		}
		r, err := w.retryable("insert", collection, "documents", documents...)
		if err != nil {
			return nil, err
		}
		documents = r.sequence()
		return func() (int, error) {
			last := p.nextID.Add(int64(count))
			for i, doc := range documents {
				setID(doc, last-int64(i))
				stamp(doc, time.Now())
			}
			_, err := w.send(r)
			return count, err
		}, nil
	}
}

// finding finds documents by _id, one at a time.
func finding(collection string, ids int64) task {
	return func(w *worker) (step, error) {
		m, err := newMessage(databaseName, bson.D{
			{Key: "find", Value: collection},
			{Key: "filter", Value: bson.D{{Key: "_id", Value: int64(0)}}},
			{Key: "limit", Value: int64(1)},
			{Key: "singleBatch", Value: true},
			w.session,
		}, "")
		if err != nil {
			return nil, err
		}
		id := place(m.body(), "filter", "_id")
		return func() (int, error) {
			setNumber(id, w.random.Int64N(ids))
			reply, err := w.ask(m)
			if err != nil {
				return 0, err
			}
			if doc, ok := reply.Lookup("cursor", "firstBatch", "0").DocumentOK(); !ok || len(doc) != documentBytes {
				return 0, fmt.Errorf("find by _id returned %s", reply)
			}
			return 1, nil
		}, nil
	}
}

// incrementing adds one to the v of documents by _id, one at a time.
func incrementing(collection string, ids int64) task {
	return func(w *worker) (step, error) {
		statement, err := bson.Marshal(bson.D{
			{Key: "q", Value: bson.D{{Key: "_id", Value: int64(0)}}},
			{Key: "u", Value: bson.D{{Key: "$inc", Value: bson.D{{Key: "v", Value: int64(1)}}}}},
		})
		if err != nil {
			return nil, err
		}
		r, err := w.retryable("update", collection, "updates", statement)
		if err != nil {
			return nil, err
		}
		id := place(r.sequence()[0], "q", "_id")
		return func() (int, error) {
			setNumber(id, w.random.Int64N(ids))
			reply, err := w.send(r)
			if n, ok := reply.Lookup("nModified").AsInt64OK(); err == nil && (!ok || n != 1) {
				err = fmt.Errorf("$inc by _id answered %s", reply)
			}
			return 1, err
		}, nil
	}
}

// mixing does one of several tasks at random each time.
func mixing(tasks ...task) task {
	return func(w *worker) (step, error) {
		steps := make([]step, len(tasks))
		for i, t := range tasks {
			s, err := t(w)
			if err != nil {
				return nil, err
			}
			steps[i] = s
		}
		return func() (int, error) { return steps[w.random.IntN(len(steps))]() }, nil
	}
}

// transacting inserts documents one by one and commits them together.
func (p *peer) transacting(collection string, inserts int) task {
	return func(w *worker) (step, error) {
		const number = "txnNumber"
		inside := bson.D{w.session, {Key: number, Value: int64(0)}, {Key: "autocommit", Value: false}}
		insert := func(extra ...bson.E) (message, error) {
			command := append(bson.D{{Key: "insert", Value: collection}, {Key: "ordered", Value: true}}, inside...)
			return newMessage(databaseName, append(command, extra...), "documents", newDocument(0))
		}
		first, err := insert(bson.E{Key: "startTransaction", Value: true})
		if err != nil {
			return nil, err
		}
		next, err := insert()
		if err != nil {
			return nil, err
		}
		commit, err := newMessage("admin", append(bson.D{{Key: "commitTransaction", Value: 1}, durable}, inside...), "")
		if err != nil {
			return nil, err
		}
		return func() (int, error) {
			w.written++
			for _, m := range []message{first, next, commit} {
				setNumber(place(m.body(), number), w.written)
			}
			m := first
			for range inserts {
				setID(m.sequence()[0], p.nextID.Add(1))
				if _, err := w.ask(m); err != nil {
					return 0, err
				}
				m = next
			}
			_, err := w.ask(commit)
			return 1, err
		}, nil
	}
}
