package command

import (
	"errors"
	"io"
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/plan"
)

// count {count: <collection>, query, limit, skip, hint} counts documents. fields is ignored, as in MongoDB.
func count(op *operation) error {
	var coll string
	var query bsonraw.Doc
	var hint bsonraw.Value
	var by collationArgument
	var limit, skip int64
	limited := false
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "count":
			return a.collection(&coll)
		case "query":
			return a.doc(&query)
		case "limit":
			limited = true
			return a.countLimit(&limit)
		case "skip":
			return a.count(&skip)
		case "hint":
			hint = a.Value
			return checkHint(hint)
		case "fields":
			return nil
		case "collation":
			return a.collation(&by)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	if limited && limit == 0 && isView(op, coll) {
		return zeroLimitOfView(op, coll, query, by)
	}
	if limit < 0 {
		limit = -limit
	}
	var n int64
	if isView(op, coll) {
		n, err = countOfView(op, coll, query, skip, limit, hint, by)
	} else if n, err = countDocuments(op, coll, query, hint, by); err == nil {
		n = max(n-skip, 0)
	}
	if err != nil {
		return err
	}
	if limit > 0 {
		n = min(n, limit)
	}
	if n > 1<<31-1 {
		op.out = bsonraw.AppendInt64(op.out, "n", n)
	} else {
		op.out = bsonraw.AppendInt32(op.out, "n", int32(n))
	}
	return nil
}

// zeroLimitOfView is the error of a count of a view whose limit is 0: there it becomes a $limit behind a $match, while of a collection it is
// no limit.
func zeroLimitOfView(op *operation, view string, query bsonraw.Doc, by collationArgument) error {
	scope, err := op.scope(view, by, nil)
	if err != nil {
		return err
	}
	if _, err := filter.Compile(query, filter.Options{Scope: scope}); err != nil {
		return err
	}
	return mongoerr.New(15958, "the limit must be positive")
}

// countLimit reads how many documents are counted at most; the sign does not matter.
func (a argument) countLimit(to *int64) error {
	if !a.Type.IsNumber() {
		return mongoerr.New(mongoerr.BadValue, "limit value is not a valid number")
	}
	n, err := mqlargument.Integer("limit", a.Value)
	if err != nil {
		return mongoerr.New(mongoerr.FailedToParse, "%s", err)
	}
	if n == math.MinInt64 {
		return mongoerr.New(mongoerr.BadValue, "limit value for count cannot be min long")
	}
	*to = n
	return nil
}

// countOfView leaves out what is skipped within the pipeline: the view's stages need not be done for it.
func countOfView(op *operation, view string, query bsonraw.Doc, skip, limit int64, hint bsonraw.Value, by collationArgument) (n int64, err error) {
	stages := newStages()
	stages.addMatch(query)
	stages.addCounts(skip, limit)
	err = eachOfView(op, view, stages.array.End(), hint, by, func(bsonraw.Doc) error { n++; return nil })
	return n, err
}

func countDocuments(op *operation, coll string, query bsonraw.Doc, hint bsonraw.Value, by collationArgument) (n int64, err error) {
	if err := op.prepareRead(); err != nil {
		return 0, err
	}
	scope, err := op.scope(coll, by, nil)
	if err != nil {
		return 0, err
	}
	f, err := filter.Compile(query, filter.Options{Scope: scope})
	if err != nil {
		return 0, err
	}
	c := op.view.Catalog().Collection(op.db, coll)
	if c == nil && op.explaining != nil {
		op.explaining.reads(op, coll, f, nil)
	}
	if c == nil {
		return 0, nil
	}
	way, err := planHint(c, hint)
	if err != nil {
		return 0, err
	}
	if f.IsEmpty() && way.Index == nil {
		if n, err = op.view.Count(op.ctx, c); op.explaining != nil {
			op.explaining.countsAll(op, coll, n)
		}
		return n, err
	}
	walk := plan.Choose(c, plan.Query{Filter: f, Hint: way}).Open(op.view)
	if op.explaining != nil {
		op.explaining.reads(op, coll, f, walk)
		return 0, nil
	}
	defer func() { err = errors.Join(err, walk.Close()) }()
	for {
		if _, err := walk.Next(op.ctx); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return 0, readError(op, err)
		}
		n++
	}
}
