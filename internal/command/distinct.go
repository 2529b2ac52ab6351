package command

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/plan"
)

// distinct {distinct: <collection>, key, query} lists the different values of a field, those within arrays one by one.
func distinct(op *operation) error {
	var coll, key string
	var keyGiven bool
	var query bsonraw.Doc
	var by collationArgument
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "distinct":
			return a.collection(&coll)
		case "key":
			keyGiven = !a.IsMissing()
			return a.str(&key)
		case "query":
			return a.doc(&query)
		case "collation":
			return a.collation(&by)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	switch {
	case !keyGiven:
		return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field 'distinct.key' is missing but a required field")
	case strings.Contains(key, "\x00"):
		return mongoerr.New(31032, "Key field cannot contain an embedded null byte")
	}
	if _, err := expression.ParsePath(key); err != nil {
		return err
	}
	if isView(op, coll) {
		return distinctOfView(op, coll, bsonraw.NewPath(key), query, by)
	}
	if err := checkSnapshotOf(op, coll); err != nil {
		return err
	}
	scope, err := op.scope(coll, by, nil)
	if err != nil {
		return err
	}
	f, err := filter.Compile(query, filter.Options{Scope: scope})
	if err != nil {
		return err
	}
	return distinctValues(op, coll, bsonraw.NewPath(key), f, scope.Collation())
}

func distinctValues(op *operation, coll string, path bsonraw.Path, f *filter.Filter, by *collation.Collation) (err error) {
	if err := op.prepareRead(); err != nil {
		return err
	}
	d := newDistinctList(by)
	c, err := op.collection(coll)
	if err != nil {
		return err
	}
	if c == nil && op.explaining != nil {
		op.explaining.reads(op, coll, f, nil)
	}
	if c != nil {
		walk := plan.Choose(c, plan.Query{Filter: f}).Open(op.view)
		if op.explaining != nil {
			op.explaining.reads(op, coll, f, walk)
			return nil
		}
		if err := d.collect(op, walk, path); err != nil {
			return err
		}
	}
	op.out = d.append(op.out, "values")
	if op.snapshot != nil {
		op.out = bsonraw.AppendTimestamp(op.out, "atClusterTime", uint64(op.snapshot.At))
	}
	return nil
}

// distinctOfView is distinctValues for a view, where no index helps.
func distinctOfView(op *operation, view string, path bsonraw.Path, query bsonraw.Doc, by collationArgument) error {
	below, err := lookBeneath(op.view.Catalog(), op.db, view)
	if err != nil {
		return err
	}
	d := newDistinctList(below.by)
	stages := newStages()
	stages.addMatch(query)
	if err := eachOfView(op, view, stages.array.End(), bsonraw.Value{}, by, func(doc bsonraw.Doc) error { return d.addFrom(doc, path) }); err != nil {
		return err
	}
	op.out = d.append(op.out, "values")
	return nil
}

// distinctList collects values, each once; of those that are equal the first, and of those in one document the first of their order
// without a collation. They are given in their order, as MongoDB does, though it promises none.
type distinctList struct {
	by    *collation.Collation
	seen  map[string]bsonraw.Value // by their keys
	size  int
	key   []byte
	found []bsonraw.Value // in one document
}

func newDistinctList(by *collation.Collation) *distinctList {
	return &distinctList{by: by, seen: map[string]bsonraw.Value{}}
}

func (d *distinctList) collect(op *operation, walk *plan.Walk, path bsonraw.Path) (err error) {
	defer func() { err = errors.Join(err, walk.Close()) }()
	for {
		doc, err := walk.Next(op.ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return readError(op, err)
		}
		if err := d.addFrom(doc, path); err != nil {
			return err
		}
	}
}

// addFrom adds what a document has at the path.
func (d *distinctList) addFrom(doc bsonraw.Doc, path bsonraw.Path) error {
	d.found = d.found[:0]
	d.find(doc.Value(), path.Parts())
	if d.by != nil && len(d.found) > 1 {
		slices.SortStableFunc(d.found, bsonraw.Compare)
	}
	for _, v := range d.found {
		d.add(v)
	}
	if d.size > bsonraw.MaxDocumentSize {
		return mongoerr.New(17217, "distinct too big, 16mb cap")
	}
	return nil
}

// find finds what a value has at a path, of an array each element. In an array a number is a place and nothing else; another name is looked
// for in its documents.
func (d *distinctList) find(v bsonraw.Value, path []bsonraw.PathPart) {
	switch {
	case len(path) == 0 && v.Type == bsonraw.TypeArray:
		for it := v.Doc().Iter(); it.Next(); {
			d.found = append(d.found, it.Value())
		}
	case len(path) == 0 && !v.IsMissing():
		d.found = append(d.found, v)
	case len(path) == 0:
	case v.Type == bsonraw.TypeDocument || v.Type == bsonraw.TypeArray && path[0].Index >= 0:
		d.find(v.Doc().Lookup(path[0].Name), path[1:])
	case v.Type == bsonraw.TypeArray:
		for it := v.Doc().Iter(); it.Next(); {
			if it.Value().Type == bsonraw.TypeDocument {
				d.find(it.Value(), path)
			}
		}
	}
}

// add adds a value.
func (d *distinctList) add(v bsonraw.Value) {
	d.key = d.by.AppendKey(d.key[:0], v)
	if _, ok := d.seen[string(d.key)]; ok {
		return
	}
	d.seen[string(d.key)] = bsonraw.Value{Type: v.Type, Data: bytes.Clone(v.Data)}
	d.size += distinctOverhead + len(v.Data)
}

// distinctOverhead is what an element of an array has beside its value: its type, and the digits of its place with their end.
const distinctOverhead = 3

// append appends the array.
func (d *distinctList) append(dst []byte, name string) []byte {
	list := bsonraw.BeginArray(bsonraw.AppendHeader(dst, bsonraw.TypeArray, name))
	for _, key := range slices.Sorted(maps.Keys(d.seen)) {
		list.Append(d.seen[key])
	}
	return list.End()
}
