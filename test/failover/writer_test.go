package failover

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/sluicestream/sluice/test/internal/ledger"
	"github.com/sluicestream/sluice/test/internal/workload"
)

const (
	opTimeout  = 15 * time.Second // after that the result of a write is not known,
	impatience = time.Second      // or already after that, for some writes
	writePause = 10 * time.Millisecond
)

// writer writes documents that nobody else writes, with the driver's retryable writes, and keeps apart what it knows to have
// happened from what may have happened: a document with a write of unknown result is never written again.
type writer struct {
	id        string
	client    *mongo.Client
	random    *rand.Rand
	sequence  int64
	documents []string // that are there for certain
	changes   []ledger.Change
	unknown   []ledger.Change
	pulse     pulse
}

func newWriter(id string, client *mongo.Client, random *rand.Rand) *writer {
	return &writer{id: id, client: client, random: random}
}

// work writes until stop is closed.
func (w *writer) work(ctx context.Context, stop <-chan struct{}) error {
	return workload.Repeat(ctx, stop, func() time.Duration { return writePause }, w.write)
}

// write does one thing, which happens, or may have happened.
func (w *writer) write(ctx context.Context) error {
	changes, perform := w.next()
	timeout := opTimeout
	if w.random.IntN(2) == 0 {
		timeout = impatience
	}
	attempt, cancel := context.WithTimeout(ctx, timeout)
	err := perform(attempt)
	cancel()
	switch {
	case err == nil:
		w.happened(changes)
		w.pulse.tick()
	case refused(err):
		return fmt.Errorf("%v: %w", changes, err)
	default:
		w.unknown = append(w.unknown, changes...)
	}
	return nil
}

// refused reports whether the server has answered that a write cannot be done, for which there is no reason.
func refused(err error) bool {
	exception, ok := errors.AsType[mongo.WriteException](err)
	return ok && len(exception.WriteErrors) > 0
}

func (w *writer) happened(changes []ledger.Change) {
	w.changes = append(w.changes, changes...)
	for _, change := range changes {
		if change.Op != "delete" && !slices.Contains(w.documents, change.ID) {
			w.documents = append(w.documents, change.ID)
		}
	}
}

func (w *writer) coll(id string) *mongo.Collection {
	majority := options.Collection().SetWriteConcern(writeconcern.Majority())
	return w.client.Database(database).Collection(collectionOf(id), majority)
}

// next chooses what to do. The documents that it touches are not certain any more.
func (w *writer) next() ([]ledger.Change, func(context.Context) error) {
	kind := w.random.IntN(8)
	switch {
	case kind == 0:
		return w.transaction()
	case kind < 4 || len(w.documents) == 0:
		change := w.insertion()
		return []ledger.Change{change}, func(ctx context.Context) error { return w.insert(ctx, change) }
	}
	w.sequence++
	at := w.random.IntN(len(w.documents))
	change := ledger.Change{Op: "update", ID: w.documents[at], N: w.sequence}
	w.documents = slices.Delete(w.documents, at, at+1)
	byID := bson.D{{Key: "_id", Value: change.ID}}
	coll := w.coll(change.ID)
	perform := func(ctx context.Context) error {
		_, err := coll.UpdateOne(ctx, byID, bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: change.N}}}})
		return err
	}
	switch kind {
	case 6:
		change.Op = "replace"
		perform = func(ctx context.Context) error {
			_, err := coll.ReplaceOne(ctx, byID, bson.D{{Key: "_id", Value: change.ID}, {Key: "n", Value: change.N}})
			return err
		}
	case 7:
		change.Op, change.N = "delete", 0
		perform = func(ctx context.Context) error {
			_, err := coll.DeleteOne(ctx, byID)
			return err
		}
	}
	return []ledger.Change{change}, perform
}

func (w *writer) insertion() ledger.Change {
	w.sequence++
	collection := collections[w.random.IntN(len(collections))]
	return ledger.Change{Op: "insert", ID: fmt.Sprintf("%s/%s/%d", w.id, collection, w.sequence), N: w.sequence}
}

func (w *writer) insert(ctx context.Context, change ledger.Change) error {
	_, err := w.coll(change.ID).InsertOne(ctx, bson.D{{Key: "_id", Value: change.ID}, {Key: "n", Value: change.N}})
	return err
}

// transaction inserts several documents at once.
func (w *writer) transaction() ([]ledger.Change, func(context.Context) error) {
	var changes []ledger.Change
	for range 2 + w.random.IntN(3) {
		changes = append(changes, w.insertion())
	}
	return changes, func(ctx context.Context) error {
		session, err := w.client.StartSession()
		if err != nil {
			return err
		}
		defer session.EndSession(context.WithoutCancel(ctx))
		_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
			for _, change := range changes {
				if err := w.insert(ctx, change); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}, options.Transaction().SetWriteConcern(writeconcern.Majority()))
		return err
	}
}
