package sluice_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/internal/testmongo"
)

// TestEventFields checks every accessor on events of a server, expanded ones too.
// contract: M2, G18
func TestEventFields(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		plain := watch(t, f.coll, nil, &sluice.Options{FullDocument: sluice.UpdateLookup})
		expanded := watch(t, f.db, nil, &sluice.Options{ShowExpandedEvents: true})
		f.insert(t, 1)
		for _, update := range []bson.D{
			{{Key: "$set", Value: bson.D{{Key: "item", Value: "milk"}, {Key: "n", Value: 1}}}},
			{{Key: "$unset", Value: bson.D{{Key: "n", Value: 1}}}},
		} {
			if _, err := f.writer.UpdateByID(t.Context(), 1, update); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.writer.DeleteOne(t.Context(), bson.D{{Key: "_id", Value: 1}}); err != nil {
			t.Fatal(err)
		}
		next := func(stream *sluice.Stream[order], kind sluice.OperationType) sluice.Event[order] {
			t.Helper()
			e, err := stream.Next(within(t))
			if err != nil {
				t.Fatal(err)
			}
			if e.OperationType() != kind {
				t.Fatalf("a %s event, want %s: %v", e.OperationType(), kind, e.Raw())
			}
			return e
		}
		insert := next(plain, sluice.Insert)
		doc, err := insert.FullDocument()
		if err != nil || doc != (order{ID: 1, Item: "tea"}) {
			t.Errorf("inserted %+v, %v", doc, err)
		}
		if insert.Namespace() != (sluice.Namespace{DB: f.db.Name(), Coll: "orders"}) || insert.ClusterTime().IsZero() {
			t.Errorf("namespace %v, time %v", insert.Namespace(), insert.ClusterTime())
		}
		if age := time.Since(insert.WallTime()); age < -time.Minute || age > time.Minute {
			t.Errorf("wall time %v", insert.WallTime())
		}
		if got := insert.DocumentKey().Lookup("_id").AsInt64(); got != 1 {
			t.Errorf("key %d", got)
		}
		if _, err := insert.UpdateDescription(); !errors.Is(err, sluice.ErrNoDocument) {
			t.Errorf("update description of an insert: %v", err)
		}
		if _, err := insert.FullDocumentBeforeChange(); !errors.Is(err, sluice.ErrNoDocument) {
			t.Errorf("document before an insert: %v", err)
		}
		if _, _, ok := insert.Transaction(); ok {
			t.Error("a transaction")
		}
		first := next(plain, sluice.Update)
		d, err := first.UpdateDescription()
		if err != nil || d.UpdatedFields.Lookup("item").StringValue() != "milk" || len(d.RemovedFields) != 0 {
			t.Errorf("update %+v, %v", d, err)
		}
		d, err = next(plain, sluice.Update).UpdateDescription()
		if err != nil || len(d.RemovedFields) != 1 || d.RemovedFields[0] != "n" {
			t.Errorf("update %+v, %v", d, err)
		}
		gone := next(plain, sluice.Delete)
		if _, err := gone.FullDocument(); !errors.Is(err, sluice.ErrNoDocument) {
			t.Errorf("document of a deletion: %v", err)
		}
		var whole struct {
			Kind string `bson:"operationType"`
		}
		if err := gone.Decode(&whole); err != nil || whole.Kind != "delete" {
			t.Errorf("decoded %+v, %v", whole, err)
		}
		uuid, ok := next(expanded, sluice.Insert).CollectionUUID()
		if !ok || uuid.Subtype != bson.TypeBinaryUUID || len(uuid.Data) != 16 {
			t.Errorf("UUID %v, %v", uuid, ok)
		}
	})
}

// contract: M2
func TestEventOfEveryShape(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.db, nil, &sluice.Options{ShowExpandedEvents: true})
		db := f.writer.Database()
		steps := []bson.D{
			{{Key: "createIndexes", Value: "orders"}, {Key: "indexes", Value: bson.A{bson.D{{Key: "key", Value: bson.D{{Key: "item", Value: 1}}}, {Key: "name", Value: "item_1"}}}}},
			{{Key: "collMod", Value: "orders"}, {Key: "index", Value: bson.D{{Key: "name", Value: "item_1"}, {Key: "hidden", Value: true}}}},
			{{Key: "dropIndexes", Value: "orders"}, {Key: "index", Value: "item_1"}},
			{{Key: "create", Value: "other"}},
		}
		for _, step := range steps {
			if err := db.RunCommand(t.Context(), step).Err(); err != nil {
				if server.Name != "mongod" {
					t.Skipf("%s: %v", step[0].Key, err)
				}
				t.Fatal(err)
			}
		}
		rename := bson.D{{Key: "renameCollection", Value: db.Name() + ".other"}, {Key: "to", Value: db.Name() + ".another"}}
		if err := db.Client().Database("admin").RunCommand(t.Context(), rename).Err(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []sluice.OperationType{sluice.CreateIndexes, sluice.Modify, sluice.DropIndexes, sluice.Create, sluice.Rename} {
			e, err := stream.Next(within(t))
			if err != nil {
				t.Fatal(err)
			}
			if e.OperationType() != want {
				t.Fatalf("%s, want %s", e.OperationType(), want)
			}
			if e.OperationDescription() == nil {
				t.Errorf("%s has no description: %v", want, e.Raw())
			}
			if (want == sluice.Modify) != (e.StateBeforeChange() != nil) {
				t.Errorf("%s: state before %v", want, e.StateBeforeChange())
			}
			if want == sluice.Rename && e.RenamedTo() != (sluice.Namespace{DB: db.Name(), Coll: "another"}) {
				t.Errorf("renamed to %v", e.RenamedTo())
			}
		}
	})
}

// TestEventsMayBeKeptAndAppendedTo appends to everything that an event gives out, and finds the events behind it whole.
// contract: M1
func TestEventsMayBeKeptAndAppendedTo(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream, err := sluice.Watch[bson.Raw](t.Context(), f.coll, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		f.insert(t, 1, 2, 3, 4)
		var events []sluice.Event[bson.Raw]
		for len(events) < 4 {
			batch, err := stream.NextBatch(within(t))
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, batch...)
		}
		rubbish := make([]byte, 4096)
		for _, e := range events {
			doc, err := e.FullDocument()
			if err != nil {
				t.Fatal(err)
			}
			for _, raw := range []bson.Raw{e.Raw(), e.DocumentKey(), doc, e.Token().Raw()} {
				_ = append(raw, rubbish...)
			}
		}
		for i, e := range events {
			if got := e.DocumentKey().Lookup("_id").AsInt64(); got != int64(i+1) || e.Raw().Validate() != nil {
				t.Errorf("event %d is now of %d", i+1, got)
			}
			if c := e.Clone(); !reflect.DeepEqual(c, e) || &c.Raw()[0] == &e.Raw()[0] {
				t.Error("the clone is no copy")
			}
		}
	})
}

// contract: M2
func TestZeroEvent(t *testing.T) {
	t.Parallel()
	var e sluice.Event[order]
	if !e.Token().IsZero() || e.OperationType() != "" || !e.ClusterTime().IsZero() || !e.WallTime().IsZero() || e.Namespace() != (sluice.Namespace{}) ||
		e.DocumentKey() != nil || e.Raw() != nil || e.OperationDescription() != nil || e.Clone().Raw() != nil {
		t.Error("the zero event is not empty")
	}
	if _, err := e.FullDocument(); !errors.Is(err, sluice.ErrNoDocument) {
		t.Error(err)
	}
	if err := e.Decode(&bson.M{}); err == nil {
		t.Error("the zero event was decoded")
	}
}
