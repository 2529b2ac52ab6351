package store

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// ViewsCollection is the collection of a database that holds the definitions of its views, a document each, as in MongoDB: what
// happens to a view is logged as what happens to its document.
const ViewsCollection = "system.views"

// ViewDefinition is a named pipeline over a collection or another view of the same database. (A [View] is something else: what
// a read sees of the store.)
type ViewDefinition struct {
	DB, Name  string
	On        string      // the collection or view that it reads
	Pipeline  bsonraw.Doc // an array
	Collation bsonraw.Doc // nil for the simple one
}

// NS returns the namespace, "db.view".
func (v *ViewDefinition) NS() string { return v.DB + "." + v.Name }

// Options returns the view's options as listCollections shows them.
func (v *ViewDefinition) Options() bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(v.appendOptions(dst), at)
}

func (v *ViewDefinition) appendOptions(dst []byte) []byte {
	dst = bsonraw.AppendString(dst, "viewOn", v.On)
	dst = bsonraw.AppendArray(dst, "pipeline", v.Pipeline)
	if v.Collation != nil {
		dst = bsonraw.AppendDoc(dst, "collation", v.Collation)
	}
	return dst
}

// document is what the collection of views holds.
func (v *ViewDefinition) document() bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(nil)
	dst = bsonraw.AppendString(dst, "_id", v.NS())
	return bsonraw.EndDoc(v.appendOptions(dst), at)
}

func (v *ViewDefinition) key() []byte { return bsonraw.AppendKey(nil, bsonraw.StringValue(v.NS())) }

func parseViewDefinition(doc bsonraw.Doc) (*ViewDefinition, error) {
	v := &ViewDefinition{}
	for it := doc.Iter(); it.Next(); {
		switch value := it.Value(); string(it.Key()) {
		case "_id":
			v.DB, v.Name, _ = strings.Cut(value.Str(), ".")
		case "viewOn":
			v.On = value.Str()
		case "pipeline":
			v.Pipeline = value.Doc().Clone()
		case "collation":
			v.Collation = value.Doc().Clone()
		}
	}
	if v.DB == "" || v.Name == "" || v.On == "" || v.Pipeline == nil {
		return nil, errors.New("read catalog: the definition of a view is not complete: " + doc.Value().Shell())
	}
	return v, nil
}

// ViewDefinition returns the view of that name, or nil.
func (c *Catalog) ViewDefinition(db, name string) *ViewDefinition { return c.views[db+"."+name] }

// ViewDefinitions returns a database's views, or all with an empty db, sorted by namespace.
func (c *Catalog) ViewDefinitions(db string) []*ViewDefinition {
	var list []*ViewDefinition
	for _, v := range c.views {
		if db == "" || v.DB == db {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b *ViewDefinition) int {
		return cmp.Or(strings.Compare(a.DB, b.DB), strings.Compare(a.Name, b.Name))
	})
	return list
}

// withViews applies what a change does to views. Those whose collection is gone are gone with it.
func (c *Catalog) withViews(before *Catalog, changed []viewChange, removed []*Collection) *Catalog {
	c.views = before.views
	gone := func(v *ViewDefinition) bool {
		return slices.ContainsFunc(removed, func(coll *Collection) bool { return coll.Name == ViewsCollection && coll.DB == v.DB })
	}
	if len(changed) == 0 && !slices.ContainsFunc(c.ViewDefinitions(""), gone) {
		return c
	}
	c.views = maps.Clone(before.views)
	maps.DeleteFunc(c.views, func(_ string, v *ViewDefinition) bool { return gone(v) })
	for _, change := range changed {
		if change.dropped {
			delete(c.views, change.view.NS())
		} else {
			c.views[change.view.NS()] = change.view
		}
	}
	return c
}

// viewChange is what a change of the schema does to a view.
type viewChange struct {
	view    *ViewDefinition
	dropped bool
}

// PutViewDefinition adds a view, or replaces one. views is the collection that holds it, which may be new in this change.
func (ch *Change) PutViewDefinition(views *Collection, v *ViewDefinition) error {
	old, err := ch.viewDocument(views, v)
	if err != nil {
		return err
	}
	ch.views = append(ch.views, viewChange{view: v})
	doc, e := v.document(), viewEntry(views, v)
	e.O = doc
	if old != nil {
		e.Op = oplog.Update
		return ch.Update(views, v.key(), old, views.Indexed(doc), e)
	}
	e.Op = oplog.Insert
	return ch.Insert(views, v.key(), views.Indexed(doc), e)
}

// DropViewDefinition removes a view.
func (ch *Change) DropViewDefinition(views *Collection, v *ViewDefinition) error {
	old, err := ch.viewDocument(views, v)
	if err != nil {
		return err
	}
	ch.views = append(ch.views, viewChange{view: v, dropped: true})
	e := viewEntry(views, v)
	e.Op, e.O, e.O2 = oplog.Delete, e.O2, nil
	return ch.Delete(views, v.key(), old, e)
}

// viewDocument returns the stored document of a view; nil when there is none.
func (ch *Change) viewDocument(views *Collection, v *ViewDefinition) (bsonraw.Doc, error) {
	doc, _, ok, err := ch.store.Get(nil, views, v.key())
	if err != nil || !ok {
		return nil, err
	}
	return doc, nil
}

// viewEntry begins the oplog entry of a view's document.
func viewEntry(views *Collection, v *ViewDefinition) *oplog.Entry {
	key, at := bsonraw.BeginDoc(nil)
	key = bsonraw.EndDoc(bsonraw.AppendString(key, "_id", v.NS()), at)
	return &oplog.Entry{NS: []byte(views.NS()), UUID: views.UUID, HasUUID: true, O2: key}
}

// loadViews reads the views of a catalog that is being loaded.
func (s *Store) loadViews(catalog *Catalog) error {
	catalog.views = map[string]*ViewDefinition{}
	for _, c := range catalog.byNS {
		if c.Name != ViewsCollection {
			continue
		}
		docs, err := s.Docs(c, Range{}, false)
		if err != nil {
			return err
		}
		for docs.Next() && err == nil {
			var v *ViewDefinition
			if v, err = parseViewDefinition(docs.Doc()); err == nil {
				catalog.views[v.NS()] = v
			}
		}
		if err := errors.Join(err, docs.Close()); err != nil {
			return err
		}
	}
	return nil
}
