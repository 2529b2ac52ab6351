package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Catalog is what exists at one moment. It does not change: a change of schema installs a new one.
type Catalog struct {
	byNS  map[string]*Collection
	views map[string]*ViewDefinition // by namespace too
	oplog *Collection                // which is none of them

	// Databases that have, or had since the store was opened, a collection. As in MongoDB a database outlives its last one, until
	// it is dropped: that is a change which streams show.
	databases map[string]bool
}

// Collection is a collection as one catalog shows it. Its Indexes never change; Shared is common to all its versions.
type Collection struct {
	ID      uint32
	DB      string
	Name    string
	UUID    [16]byte
	Options bsonraw.Doc // as given to create, without the name; set by SetOptions
	Images  bool        // of Options: documents are kept as they were before they changed
	Memo    *Memo       // of Options
	Indexes []*Index    // the first is always the one in whose order documents are stored: that on _id, but for Series
	Cap     *Cap        // of Options; nil for a collection that is not capped
	Order   *Index      // the order of insertion of a capped collection; nil for others, whose order is that of _id
	Series  *Series     // of Options; nil for a collection that does not hold the measurements of a time-series collection
	Oplog   bool        // it is the oplog: see newOplogCollection
	*Shared
}

// Shared is the part of a collection that outlives a change of its catalog entry.
type Shared struct {
	// Lock is held shared by reads and writes of documents and exclusively by changes of the schema. It comes before latches
	// and the commit lock.
	Lock Lock

	dropped atomic.Bool
	tally   tally
	builds  builds
	recent  recent
	deleted atomic.Uint64 // no document was deleted after this timestamp since the store was opened
	oldest  atomic.Uint64 // in a capped collection no document was inserted before this timestamp

	measured atomic.Uint64 // the last number that a measurement got
}

// NewShared returns the part of a new collection, which is known to be empty.
func NewShared() *Shared {
	s := &Shared{}
	s.tally.known.Store(true)
	return s
}

// NS returns the namespace, "db.collection".
func (c *Collection) NS() string { return c.DB + "." + c.Name }

// Dropped reports whether the collection has gone since the catalog was read. It is stable while Lock is held.
func (c *Collection) Dropped() bool { return c.dropped.Load() }

// SetOptions sets the options of a collection that nobody else knows yet, and what follows from them.
func (c *Collection) SetOptions(options bsonraw.Doc) {
	c.Options, c.Memo = options, new(Memo)
	images := options.Lookup("changeStreamPreAndPostImages")
	c.Cap = parseCap(options)
	c.Series = parseSeries(options)
	c.Images = images.Type == bsonraw.TypeDocument && images.Doc().Lookup("enabled").Truthy()
}

// AppendIDKey appends the key of an _id, by which its document is stored in every collection but one of measurements.
func (c *Collection) AppendIDKey(dst []byte, id bsonraw.Value) []byte {
	return c.Indexes[0].appendValue(dst, id, false)
}

// Index returns the index of that name, or nil.
func (c *Collection) Index(name string) *Index {
	for _, x := range c.Indexes {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// IndexCount returns how many indexes the collection has beside its documents: one that is clustered has none on _id.
func (c *Collection) IndexCount() int {
	if len(c.Indexes) > 0 && c.Indexes[0].Clustered {
		return len(c.Indexes) - 1
	}
	return len(c.Indexes)
}

// Collection returns the collection of a namespace, or nil.
func (c *Catalog) Collection(db, name string) *Collection {
	if IsOplog(db, name) {
		return c.oplog
	}
	return c.byNS[db+"."+name]
}

// ByUUID returns the collection with that UUID, or nil.
func (c *Catalog) ByUUID(uuid [16]byte) *Collection {
	for _, coll := range c.byNS {
		if coll.UUID == uuid {
			return coll
		}
	}
	return nil
}

// Collections returns a database's collections, or all but the oplog with an empty db, sorted by namespace.
func (c *Catalog) Collections(db string) []*Collection {
	var list []*Collection
	if db == LocalDB {
		list = append(list, c.oplog)
	}
	for _, coll := range c.byNS {
		if db == "" || coll.DB == db {
			list = append(list, coll)
		}
	}
	slices.SortFunc(list, func(a, b *Collection) int {
		return cmp.Or(strings.Compare(a.DB, b.DB), strings.Compare(a.Name, b.Name))
	})
	return list
}

// Databases returns the names of the databases that have a collection, sorted.
func (c *Catalog) Databases() []string {
	names := map[string]bool{LocalDB: true}
	for _, coll := range c.byNS {
		names[coll.DB] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// HasDatabase reports whether there is a database to be dropped, be it without collections by now.
func (c *Catalog) HasDatabase(db string) bool { return c.databases[db] }

// Catalog returns what exists now.
func (s *Store) Catalog() *Catalog { return s.catalog.Load() }

// with returns a copy in which set (by namespace) is added or replaced and removed ones are gone.
func (c *Catalog) with(set []*Collection, removed []*Collection) *Catalog {
	next := *c
	next.byNS = maps.Clone(c.byNS)
	for _, coll := range removed {
		delete(next.byNS, coll.NS())
	}
	for _, coll := range set {
		next.byNS[coll.NS()] = coll
		next.addDatabase(coll.DB)
	}
	return &next
}

// addDatabase makes a database known in a catalog that nobody else knows yet.
func (c *Catalog) addDatabase(db string) {
	if !c.databases[db] {
		c.databases = maps.Clone(c.databases)
		c.databases[db] = true
	}
}

// withoutDatabase returns a copy in which a database is gone.
func (c *Catalog) withoutDatabase(db string) *Catalog {
	if !c.databases[db] {
		return c
	}
	next := *c
	next.databases = maps.Clone(c.databases)
	delete(next.databases, db)
	return &next
}

// record encodes a collection for the catalog.
func (c *Collection) record() []byte {
	dst, at := bsonraw.BeginDoc(nil)
	dst = bsonraw.AppendString(dst, "db", c.DB)
	dst = bsonraw.AppendString(dst, "name", c.Name)
	dst = bsonraw.AppendBinary(dst, "uuid", bsonraw.SubtypeUUID, c.UUID[:])
	dst = bsonraw.AppendDoc(dst, "options", c.Options)
	dst = bsonraw.AppendHeader(dst, bsonraw.TypeArray, "indexes")
	indexes := bsonraw.BeginArray(dst)
	for _, x := range c.Indexes {
		entry, begin := indexes.Begin(bsonraw.TypeDocument)
		entry = bsonraw.AppendInt64(entry, "id", int64(x.ID))
		entry = bsonraw.AppendDoc(entry, "spec", x.Spec)
		indexes.Resume(bsonraw.EndDoc(entry, begin))
	}
	dst = indexes.End()
	if c.Order != nil {
		dst = bsonraw.AppendInt64(dst, "order", int64(c.Order.ID))
	}
	return bsonraw.EndDoc(dst, at)
}

func parseCollection(id uint32, record bsonraw.Doc, compile compiler) (*Collection, error) {
	c := &Collection{ID: id, Shared: &Shared{}}
	var indexes bsonraw.Doc
	for it := record.Iter(); it.Next(); {
		switch v := it.Value(); string(it.Key()) {
		case "db":
			c.DB = v.Str()
		case "name":
			c.Name = v.Str()
		case "uuid":
			_, b := v.Binary()
			copy(c.UUID[:], b)
		case "options":
			c.SetOptions(v.Doc().Clone())
		case "indexes":
			indexes = v.Doc()
		case "order":
			c.Order = NewOrder(uint32(v.Int64()))
		}
	}
	for it := indexes.Iter(); it.Next(); {
		entry := it.Value().Doc()
		xid, _ := entry.Lookup("id").AsInt64()
		x, err := compile.index(entry.Lookup("spec").Doc().Clone())
		if err != nil {
			return nil, err
		}
		x.ID = uint32(xid)
		c.Indexes = append(c.Indexes, x)
	}
	if c.DB == "" || c.Name == "" || len(c.Indexes) == 0 {
		return nil, fmt.Errorf("read catalog: record %d is not complete", id)
	}
	return c, nil
}

// loadCatalog reads the catalog when the store is opened.
func (s *Store) loadCatalog() error {
	catalog := &Catalog{byNS: map[string]*Collection{}, databases: map[string]bool{}}
	err := s.each(kindCatalog, func(key, value []byte) error {
		c, err := parseCollection(binary.BigEndian.Uint32(key[1:]), value, s.compile)
		if err != nil {
			return err
		}
		catalog.byNS[c.NS()] = c
		catalog.databases[c.DB] = true
		s.nextID = max(s.nextID, c.ID+1)
		for _, x := range c.Indexes {
			s.nextID = max(s.nextID, x.ID+1)
		}
		if c.Order != nil {
			s.nextID = max(s.nextID, c.Order.ID+1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	indexes := map[uint32]*Index{}
	for _, c := range catalog.byNS {
		for _, x := range c.Indexes {
			indexes[x.ID] = x
		}
		if c.Order != nil {
			indexes[c.Order.ID] = c.Order
		}
	}
	if err := forgetBuilds(s, indexes); err != nil {
		return err
	}
	if err := s.loadMultikeys(indexes); err != nil {
		return err
	}
	if err := s.loadViews(catalog); err != nil {
		return err
	}
	catalog.oplog = newOplogCollection(s.trimmer.maxBytes)
	s.catalog.Store(catalog)
	return nil
}

// each calls fn for every key of a kind.
func (r reader) each(kind byte, fn func(key, value []byte) error) error {
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := fn(it.Key(), value); err != nil {
			return err
		}
	}
	return it.Error()
}
