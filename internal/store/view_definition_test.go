package store

import (
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// put puts a view into the catalog, in a change of its own.
func putView(t *testing.T, s *Store, views *Collection, v *ViewDefinition) {
	t.Helper()
	ch := s.Change()
	if err := ch.PutViewDefinition(views, v); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Commit(); err != nil {
		t.Fatal(err)
	}
}

func emptyArray() bsonraw.Doc {
	array := bsonraw.BeginArray(nil)
	return array.End()
}

func TestViewsAreDocumentsThatOutliveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/db"
	s := open(t, Config{Dir: dir})
	views := collection(t, s, ViewsCollection)
	putView(t, s, views, &ViewDefinition{DB: "db", Name: "v", On: "c", Pipeline: emptyArray()})
	putView(t, s, views, &ViewDefinition{DB: "db", Name: "v", On: "d", Pipeline: emptyArray(), Collation: doc("locale", "fr")})
	putView(t, s, views, &ViewDefinition{DB: "db", Name: "w", On: "v", Pipeline: emptyArray()})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	v := s.Catalog().ViewDefinition("db", "v")
	if v == nil || v.On != "d" || v.Collation.Lookup("locale").Str() != "fr" {
		t.Fatalf("the view is %+v", v)
	}
	if list := s.Catalog().ViewDefinitions("db"); len(list) != 2 || list[0].Name != "v" || list[1].Name != "w" {
		t.Fatalf("there are %d views", len(list))
	}
	ch := s.Change()
	views = s.Catalog().Collection("db", ViewsCollection)
	if err := ch.DropViewDefinition(views, v); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Commit(); err != nil {
		t.Fatal(err)
	}
	if s.Catalog().ViewDefinition("db", "v") != nil || s.Catalog().ViewDefinition("db", "w") == nil {
		t.Fatal("one view of two was dropped, and the other is gone")
	}
	ch = s.Change()
	if err := ch.Drop(views); err != nil {
		t.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("drop", ViewsCollection)})
	if _, err := ch.Commit(); err != nil {
		t.Fatal(err)
	}
	if list := s.Catalog().ViewDefinitions(""); len(list) != 0 {
		t.Fatalf("there are %d views, and their collection is gone", len(list))
	}
}
