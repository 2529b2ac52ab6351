package command

import (
	"errors"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/store"
)

// beneath is what lies below a name: the collection that is read in the end, and the pipelines of the views above it.
type beneath struct {
	coll     string
	pipeline bsonraw.Doc // nil for a collection
	by       *collation.Collation
	series   bool // the name is a time-series collection's, which reads may give another collation
}

// isView reports whether the name is a view's.
func (b *beneath) isView() bool { return b.pipeline != nil }

// lookBeneath follows a name down to its collection.
func lookBeneath(catalog *store.Catalog, db, name string) (b beneath, err error) {
	b.coll = name
	ofSeries := false
	for depth := 0; ; depth++ {
		v := catalog.ViewDefinition(db, b.coll)
		switch {
		case v == nil && ofSeries:
			return b, nil
		case v == nil:
			return b, refuseBuckets(catalog, db, b.coll)
		case depth == maxViewDepth-1:
			return b, mongoerr.New(mongoerr.ViewDepthLimitExceeded, "View depth too deep or view cycle detected; maximum depth is %d", maxViewDepth)
		case v.IsSeries():
			ofSeries = true
			if depth == 0 {
				b.series, b.pipeline = true, bsonraw.Empty
				b.by, err = viewCollation(v)
			}
		case depth == 0:
			b.pipeline = v.Pipeline
			b.by, err = viewCollation(v)
		default:
			b.pipeline = joined(v.Pipeline, b.pipeline)
		}
		if err != nil {
			return b, err
		}
		b.coll = v.On
	}
}

// joined is the array with the elements of two arrays.
func joined(first, second bsonraw.Doc) bsonraw.Doc {
	list := bsonraw.BeginArray(make([]byte, 0, len(first)+len(second)))
	for _, array := range []bsonraw.Doc{first, second} {
		for it := array.Iter(); it.Next(); {
			list.Append(it.Value())
		}
	}
	return list.End()
}

// resolve makes the aggregate of a view one of the collection beneath it, unless it asks about the view itself.
func (f *aggregateArgs) resolve(op *operation) error {
	if first, _, err := aggregation.FirstStage(f.pipeline); err != nil || first == "$collStats" {
		return err
	}
	below, err := lookBeneath(op.view.Catalog(), op.db, f.coll)
	if err != nil || !below.isView() {
		return err
	}
	if err := checkUUID(op, op.db, f.coll, nil); err != nil {
		return err
	}
	switch {
	case !f.collation.given:
		f.collation = collationArgument{given: true, value: below.by}
	case !below.series && !f.collation.value.Same(below.by):
		return mongoerr.New(mongoerr.OptionNotSupportedOnView, "Cannot override a view's default collation")
	}
	f.coll, f.pipeline = below.coll, joined(below.pipeline, f.pipeline)
	return nil
}

// stageList is a pipeline in the making.
type stageList struct{ array bsonraw.ArrayBuilder }

func newStages() *stageList { return &stageList{bsonraw.BeginArray(nil)} }

func (s *stageList) add(name string, argument bsonraw.Value) {
	stage, at := s.array.Begin(bsonraw.TypeDocument)
	s.array.Resume(bsonraw.EndDoc(bsonraw.AppendValue(stage, name, argument), at))
}

func (s *stageList) addMatch(filter bsonraw.Doc) {
	if !filter.IsEmpty() {
		s.add("$match", filter.Value())
	}
}

func (s *stageList) addCounts(skip, limit int64) {
	if skip > 0 {
		s.add("$skip", bsonraw.Int64Value(skip))
	}
	if limit > 0 {
		s.add("$limit", bsonraw.Int64Value(limit))
	}
}

// isView reports whether a name of the command's database is a view's.
func isView(op *operation, name string) bool {
	return op.view.Catalog().ViewDefinition(op.db, name) != nil
}

// aggregation makes the aggregate that a find on a view is, or says what the find asks for that no aggregate has.
func (f *findArgs) aggregation(op *operation) (*aggregateArgs, error) {
	for it := op.body.Iter(); it.Next(); {
		switch name := string(it.Key()); name {
		case "returnKey", "showRecordId", "tailable", "awaitData", "noCursorTimeout", "allowPartialResults", "readOnce":
			if it.Value().Truthy() {
				return nil, errNotInAggregation(name)
			}
		case "min", "max":
			if it.Value().Type == bsonraw.TypeDocument && !it.Value().Doc().IsEmpty() {
				return nil, errNotInAggregation(name)
			}
		}
	}
	if f.singleBatch && f.limit != 1 {
		return nil, errNotInAggregation("singleBatch")
	}
	_, natural, err := ordering.Natural(f.sort)
	if err != nil {
		return nil, err
	}
	stages := newStages()
	stages.addMatch(f.filter)
	hint := f.hint
	switch {
	case natural:
		hint = f.sort.Value()
	case !f.sort.IsEmpty():
		stages.add("$sort", f.sort.Value())
	}
	stages.addCounts(f.skip, f.limit)
	if !f.projection.IsEmpty() {
		stages.add("$project", f.projection.Value())
	}
	return &aggregateArgs{
		coll: f.coll, pipeline: stages.array.End(), let: f.let, hint: hint, collation: f.collation, batchSize: f.batchSize,
	}, nil
}

// findView opens a cursor over a view.
func findView(op *operation, f *findArgs) error {
	args, err := f.aggregation(op)
	if err != nil {
		return err
	}
	feed, err := openAggregate(op, args)
	if err != nil {
		return err
	}
	return op.openCursor(&cursor{ns: op.db + "." + f.coll, feed: feed}, args.limit(), f.singleBatch)
}

func errNotInAggregation(option string) error {
	return mongoerr.New(mongoerr.InvalidPipelineOperator, "Option %s not supported in aggregation.", option)
}

// eachOfView calls take with every document that a pipeline makes of a view.
func eachOfView(op *operation, view string, pipeline bsonraw.Doc, hint bsonraw.Value, by collationArgument, take func(bsonraw.Doc) error) error {
	feed, err := openAggregate(op, &aggregateArgs{coll: view, pipeline: pipeline, hint: hint, collation: by})
	if err != nil {
		return err
	}
	defer feed.close()
	for {
		doc, err := feed.next(op)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = take(doc)
		}
		if err != nil {
			return err
		}
	}
}
