package command

import (
	"errors"
	"io"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/plan"
)

// distinct {distinct: <collection>, key, query, hint} lists the different values of a field, those within arrays one by one.
func distinct(op *operation) error {
	var coll, key string
	var keyGiven bool
	var query bsonraw.Doc
	var hint bsonraw.Value
	var by collationArgument
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "distinct":
			return a.collection(&coll)
		case "key":
			keyGiven = true
			return a.str(&key)
		case "query":
			return a.doc(&query)
		case "hint":
			hint = a.Value
			return checkHint(hint)
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
	scope, err := op.scope(coll, by, nil)
	if err != nil {
		return err
	}
	f, err := filter.Compile(query, filter.Options{Scope: scope})
	if err != nil {
		return err
	}
	return distinctValues(op, coll, bsonraw.NewPath(key), f, hint, scope.Collation())
}

func distinctValues(op *operation, coll string, path bsonraw.Path, f *filter.Filter, hint bsonraw.Value, by *collation.Collation) (err error) {
	if err := op.prepareRead(); err != nil {
		return err
	}
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "values")
	d := newDistinctList(op.out, by)
	c, err := op.collection(coll)
	if err != nil {
		return err
	}
	if c == nil && op.explaining != nil {
		op.explaining.reads(op, coll, f, nil)
	}
	if c != nil {
		way, err := planHint(c, hint)
		if err != nil {
			return err
		}
		walk := plan.Choose(c, plan.Query{Filter: f, Hint: way}).Open(op.view)
		if op.explaining != nil {
			op.explaining.reads(op, coll, f, walk)
			return nil
		}
		if err := d.collect(op, walk, path); err != nil {
			return err
		}
	}
	op.out = d.list.End()
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
	d := newDistinctList(nil, below.by)
	if err := eachOfView(op, view, query, bsonraw.Value{}, by, func(doc bsonraw.Doc) error { return d.addFrom(doc, path) }); err != nil {
		return err
	}
	op.out = bsonraw.AppendArray(op.out, "values", d.list.End())
	return nil
}

// distinctList collects values, each once; of those that are equal the first.
type distinctList struct {
	by   *collation.Collation
	list bsonraw.ArrayBuilder
	seen map[string]struct{}
	key  []byte
	take func(v bsonraw.Value, _ int) bool
}

func newDistinctList(dst []byte, by *collation.Collation) *distinctList {
	d := &distinctList{by: by, list: bsonraw.BeginArray(dst), seen: map[string]struct{}{}}
	d.take = func(v bsonraw.Value, _ int) bool {
		d.add(v)
		return true
	}
	return d
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
	path.Walk(doc, bsonraw.LeafWhole, d.take)
	if d.list.Size() > bsonraw.MaxDocumentSize {
		return mongoerr.New(17217, "distinct too big, 16mb cap")
	}
	return nil
}

// add adds a value, or the elements of an array one by one.
func (d *distinctList) add(v bsonraw.Value) {
	if v.IsMissing() {
		return
	}
	if v.Type == bsonraw.TypeArray {
		for it := v.Doc().Iter(); it.Next(); {
			d.addOne(it.Value())
		}
		return
	}
	d.addOne(v)
}

func (d *distinctList) addOne(v bsonraw.Value) {
	d.key = d.by.AppendKey(d.key[:0], v)
	if _, ok := d.seen[string(d.key)]; ok {
		return
	}
	d.seen[string(d.key)] = struct{}{}
	d.list.Append(v)
}
