package torture

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice/test/internal/ledger"
	"github.com/sluicestream/sluice/test/internal/workload"
)

const (
	writePause = 5 * time.Millisecond // between two writes of one writer, on average
	// largePortion is how many large events there are at most: they are kept in memory. (There is one in fewFaults at most, too.)
	largePortion, fewFaults = 60, 25
	// largeBytes is the size of a document that fits, while an event with two of it does not.
	largeBytes = 9 << 20
)

// writer writes documents that nobody else writes, over a network to which nothing happens, so that it knows what it did.
type writer struct {
	id          string
	to          *torture
	random      *rand.Rand
	collections []string
	sequence    int64
	documents   []string // ids that are there
	changes     []ledger.Change
	done        atomic.Int64 // len(changes), for others
}

func (to *torture) addWriter(collections ...string) {
	id := fmt.Sprintf("w%d", len(to.writers))
	to.writers = append(to.writers, &writer{id: id, to: to, random: to.dice(id), collections: collections})
}

// dice returns random numbers that are somebody's own.
func (to *torture) dice(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return rand.New(rand.NewPCG(to.seed, h.Sum64()))
}

// collectionOf returns the name of the collection that a document lives in; its id says so.
func collectionOf(id string) string { return strings.Split(id, "/")[1] }

// in returns the changes in what a scope watches.
func (w *writer) in(s scope) []ledger.Change {
	return slices.DeleteFunc(slices.Clone(w.changes), func(c ledger.Change) bool {
		return !slices.Contains(s.collections(), collectionOf(c.ID))
	})
}

func (w *writer) coll(id string) *mongo.Collection { return collection(w.to.calm, id) }

// work writes until stop is closed.
func (w *writer) work(ctx context.Context, stop <-chan struct{}) error {
	pause := func() time.Duration { return time.Duration(w.random.Int64N(int64(2 * writePause))) }
	return workload.Repeat(ctx, stop, pause, func(ctx context.Context) error {
		defer func() { w.done.Store(int64(len(w.changes))) }()
		return w.write(ctx)
	})
}

func (w *writer) write(ctx context.Context) error {
	switch {
	case w.collections[0] == large:
		if faults := w.to.faults; faults.sum() < uint64(len(w.changes))*max(fewFaults, faults.target/largePortion) {
			return nil
		}
		return w.one(ctx, &w.changes, w.random.IntN(3)) // never deleted, or there would be only one
	case w.collections[0] == dropped && w.random.IntN(12) == 0 && len(w.documents) > 0:
		gone := fmt.Sprintf("%s/%s/all", w.id, dropped)
		w.documents = nil
		w.changes = append(w.changes, ledger.Change{Op: "drop", ID: gone}, ledger.Change{Op: "invalidate", ID: gone})
		return w.coll(gone).Drop(ctx)
	case w.collections[0] == dropped || w.random.IntN(8) > 0:
		return w.one(ctx, &w.changes, w.random.IntN(6))
	default:
		return w.transaction(ctx)
	}
}

// transaction does several things at once, or now and then decides against them.
func (w *writer) transaction(ctx context.Context) error {
	session, err := w.to.calm.StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	size, changeOfMind := 1+w.random.IntN(12), w.random.IntN(6) == 0
	before := slices.Clone(w.documents)
	var changes []ledger.Change
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		changes, w.documents = nil, slices.Clone(before)
		for range size {
			if err := w.one(ctx, &changes, w.random.IntN(6)); err != nil {
				return nil, err
			}
		}
		if changeOfMind {
			return nil, errChangeOfMind
		}
		return nil, nil
	})
	if changeOfMind && err == errChangeOfMind { //nolint:errorlint // it is returned as it is
		w.documents = before
		return nil
	}
	w.changes = append(w.changes, changes...)
	return err
}

var errChangeOfMind = fmt.Errorf("the writer decided against it")

// one makes one change. What kind of change it is follows from a number below 6, and from there being a document.
func (w *writer) one(ctx context.Context, changes *[]ledger.Change, kind int) error {
	w.sequence++
	n := w.sequence
	if kind == 0 || len(w.documents) == 0 {
		id := fmt.Sprintf("%s/%s/%d", w.id, w.collections[w.random.IntN(len(w.collections))], n)
		w.documents = append(w.documents, id)
		*changes = append(*changes, ledger.Change{Op: "insert", ID: id, N: n})
		_, err := w.coll(id).InsertOne(ctx, w.document(id, n))
		return err
	}
	at := w.random.IntN(len(w.documents))
	id := w.documents[at]
	byID := bson.D{{Key: "_id", Value: id}}
	var err error
	switch {
	case kind < 3:
		*changes = append(*changes, ledger.Change{Op: "update", ID: id, N: n})
		_, err = w.coll(id).UpdateOne(ctx, byID, bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: n}}}})
	case kind < 5:
		*changes = append(*changes, ledger.Change{Op: "replace", ID: id, N: n})
		_, err = w.coll(id).ReplaceOne(ctx, byID, w.document(id, n))
	default:
		w.documents = slices.Delete(w.documents, at, at+1)
		*changes = append(*changes, ledger.Change{Op: "delete", ID: id})
		_, err = w.coll(id).DeleteOne(ctx, byID)
	}
	return err
}

func (w *writer) document(id string, n int64) bson.D {
	size := w.random.IntN(2000)
	if collectionOf(id) == large {
		size = largeBytes
	}
	return bson.D{{Key: "_id", Value: id}, {Key: "n", Value: n}, {Key: "pad", Value: strings.Repeat("x", size)}}
}
