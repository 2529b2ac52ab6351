package crash

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/test/internal/ledger"
)

// transaction inserts a document, counts twice on one counter and once on another: all of it or nothing.
func (w *writer) transaction() operation {
	w.sequence++
	id := fmt.Sprintf("%s/%d", w.id, w.sequence)
	w.documents = append(w.documents, id)
	op := operation{name: "transaction", changes: []ledger.Change{{Op: "insert", ID: id, N: w.sequence}}}
	op.parts = append(op.parts, bson.D{
		{Key: "insert", Value: journal},
		{Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: id}, {Key: "n", Value: w.sequence}}}},
	})
	for _, name := range []string{"/transaction0", "/transaction1", "/transaction0"} {
		id := w.id + name
		op.changes = append(op.changes, w.count(id))
		op.parts = append(op.parts, bson.D{{Key: "update", Value: counters}, {Key: "updates", Value: bson.A{
			bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: id}}}, {Key: "u", Value: addOne}, {Key: "upsert", Value: true}},
		}}})
	}
	return op
}

// errTransient says that a transaction has to be tried again as a whole.
var errTransient = errors.New("the transaction has to be tried again")

// transact runs a transaction until its commit is acknowledged: again from the start, under a new number, when it was lost with
// the server; its commit alone when only the answer was.
func (w *writer) transact(ctx context.Context, c *conn, op operation) (*conn, error) {
	for tried := 0; ; tried++ {
		if tried > 0 {
			w.txnNumber++
		}
		var err error
		if c, err = w.attempt(ctx, c, op); errors.Is(err, errTransient) {
			continue
		}
		if err != nil {
			return c, fmt.Errorf("%s, tried %d times: %w", op.name, tried+1, err)
		}
		if tried > 0 {
			w.resent++
		}
		w.changes = append(w.changes, op.changes...)
		return c, nil
	}
}

func (w *writer) attempt(ctx context.Context, c *conn, op operation) (_ *conn, err error) {
	if c == nil {
		if c, err = w.server.dial(ctx); err != nil {
			return nil, err
		}
	}
	for i, part := range op.parts {
		reply, err := c.run(ctx, w.inTransaction(part, database, i == 0))
		if err != nil {
			c.close()
			return nil, errTransient
		}
		if err := transientOr(ctx, replyError(reply)); err != nil {
			return c, err
		}
		if err := expectInt("n", 1)(reply); err != nil {
			return c, fmt.Errorf("part %d: %w, reply %s", i, err, reply)
		}
	}
	commit := w.inTransaction(bson.D{{Key: "commitTransaction", Value: 1}, {Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}}, "admin", false)
	for {
		if c == nil {
			if c, err = w.server.dial(ctx); err != nil {
				return nil, err
			}
		}
		reply, err := c.run(ctx, commit)
		if err != nil {
			c.close()
			c = nil
			continue
		}
		var refused *serverError
		if err := replyError(reply); errors.As(err, &refused) && refused.has("RetryableWriteError") {
			wait(ctx, 5*time.Millisecond) // not the primary yet
			continue
		} else if err != nil {
			return c, transientOr(ctx, err)
		}
		return c, nil
	}
}

// transientOr returns errTransient for an error that tells so.
func transientOr(ctx context.Context, err error) error {
	var refused *serverError
	if errors.As(err, &refused) && (refused.has("TransientTransactionError") || refused.has("RetryableWriteError")) {
		wait(ctx, 5*time.Millisecond)
		return errTransient
	}
	return err
}

func (w *writer) inTransaction(fields bson.D, db string, starts bool) bson.Raw {
	fields = append(slices.Clip(fields),
		bson.E{Key: "lsid", Value: w.lsid}, bson.E{Key: "txnNumber", Value: w.txnNumber}, bson.E{Key: "autocommit", Value: false})
	if starts {
		fields = append(fields, bson.E{Key: "startTransaction", Value: true})
	}
	return document(append(fields, bson.E{Key: "$db", Value: db}))
}
