package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/mql/projection"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// findArgs are the arguments of find.
type findArgs struct {
	coll                           string
	filter, sort, projection, let  bsonraw.Doc
	hint                           bsonraw.Value
	collation                      collationArgument
	skip, limit                    int64
	batchSize                      int64 // negative: not given
	singleBatch, noTimeout, ignore bool
	tailable, awaitData            bool
	min, max                       bsonraw.Doc // nil: not given
	returnKey, recordID            bool
}

// find {find: <collection>, filter, sort, projection, skip, limit, batchSize, singleBatch, hint, let, ...} opens a cursor over the
// documents that match. With tailable, on a capped collection, the cursor stays open at the end and gives what is inserted later; with
// awaitData its getMore waits for that. min and max walk a part of an index, returnKey gives its entries instead of documents.
func find(op *operation) error {
	op.server.counters.query.Add(1)
	if mayAskForPoint(op.body) {
		if ok, err := findPoint(op); ok {
			return err
		}
	}
	op.body = op.body.Clone() // what is compiled from it lives as long as the cursor
	var args findArgs
	if err := args.read(op); err != nil {
		return err
	}
	if isView(op, args.coll) {
		return findView(op, &args)
	}
	if err := checkSnapshotOf(op, args.coll); err != nil {
		return err
	}
	feed, err := openFind(op, &args)
	if err != nil {
		return err
	}
	limit := batchLimit{docs: int(args.batchSize), bytes: maxBatchBytes}
	if args.batchSize < 0 {
		limit.docs = defaultFirstBatch
	}
	c := &cursor{ns: op.db + "." + args.coll, feed: feed, noIdle: args.noTimeout}
	if args.awaitData {
		c.waits = feed
	}
	return op.openCursor(c, limit, args.singleBatch)
}

// read reads the arguments and checks what can be said of them without the collection.
func (f *findArgs) read(op *operation) error {
	f.batchSize = -1
	if err := op.arguments(f.parse); err != nil {
		return err
	}
	return f.checkTailable()
}

func (f *findArgs) parse(name string, a argument) error {
	switch name {
	case "find":
		return a.collection(&f.coll)
	case "filter":
		return a.doc(&f.filter)
	case "sort":
		return a.doc(&f.sort)
	case "projection":
		return a.doc(&f.projection)
	case "let":
		return a.doc(&f.let)
	case "hint":
		f.hint = a.Value
		return checkHint(f.hint)
	case "skip":
		return a.count(&f.skip)
	case "limit":
		return a.count(&f.limit)
	case "batchSize":
		return a.count(&f.batchSize)
	case "singleBatch":
		return parsePlainFlag(a, &f.singleBatch)
	case "noCursorTimeout":
		return parsePlainFlag(a, &f.noTimeout)
	case "allowDiskUse", "allowPartialResults", "oplogReplay", "readOnce":
		return parsePlainFlag(a, &f.ignore)
	case "collation":
		return a.collation(&f.collation)
	case "collectionUUID":
		return parseCollectionUUID(a)
	case "tailable":
		return parsePlainFlag(a, &f.tailable)
	case "awaitData":
		return parsePlainFlag(a, &f.awaitData)
	case "returnKey":
		return parsePlainFlag(a, &f.returnKey)
	case "showRecordId":
		return parsePlainFlag(a, &f.recordID)
	case "min":
		return a.bound(&f.min)
	case "max":
		return a.bound(&f.max)
	}
	return a.unknown()
}

// parsePlainFlag accepts booleans only, with the error that mongod has for some arguments of find.
func parsePlainFlag(a argument, to *bool) error {
	if a.Type != bsonraw.TypeBool {
		return mongoerr.New(mongoerr.TypeMismatch, "Field '%s' should be a boolean value, but found: %s", a.name, a.Type.Name())
	}
	*to = a.Bool()
	return nil
}

// checkTailable refuses what a tailable cursor cannot have.
func (f *findArgs) checkTailable() error {
	if !f.tailable {
		if f.awaitData {
			return mongoerr.New(mongoerr.FailedToParse, "Cannot set 'awaitData' without also setting 'tailable'")
		}
		return nil
	}
	if !f.sort.IsEmpty() {
		if n, ok := f.sort.Lookup("$natural").AsInt64(); !ok || n != 1 {
			return mongoerr.New(mongoerr.BadValue, "cannot use tailable option with a sort other than {$natural: 1}")
		}
	}
	if f.singleBatch {
		return mongoerr.New(mongoerr.BadValue, "cannot use tailable option with the 'singleBatch' option")
	}
	return nil
}

func (a argument) unsupportedUnlessFalse() error {
	var set bool
	if err := a.flag(&set); err != nil {
		return err
	}
	if set {
		return a.unsupported()
	}
	return nil
}

func (a argument) unsupportedUnlessEmpty() error {
	var d bsonraw.Doc
	if err := a.doc(&d); err != nil {
		return err
	}
	if !d.IsEmpty() {
		return a.unsupported()
	}
	return nil
}

func openFind(op *operation, args *findArgs) (*pipelineFeed, error) {
	scope, err := op.scope(args.coll, args.collation, args.let)
	if err != nil {
		return nil, err
	}
	f, err := filter.Compile(args.filter, filter.Options{Scope: scope})
	if err != nil {
		return nil, err
	}
	spec := aggregation.Find{Skip: args.skip, Limit: args.limit}
	_, natural, err := ordering.Natural(args.sort)
	if err != nil {
		return nil, err
	}
	if !args.sort.IsEmpty() && !natural {
		if spec.Ordering, err = ordering.Compile(args.sort, scope.Collation()); err != nil {
			return nil, err
		}
	}
	if !args.projection.IsEmpty() {
		if spec.Projection, err = projection.CompileFind(args.projection, scope); err != nil {
			return nil, err
		}
		if spec.Projection.Positional() {
			if err := f.CheckPosition(); err != nil {
				return nil, err
			}
			spec.Filter = f // it tells which element matched
		}
	}
	if err := args.checkBounds(); err != nil {
		return nil, err
	}
	if err := op.prepareRead(); err != nil {
		return nil, err
	}
	c, err := op.collection(args.coll)
	if err == nil {
		err = checkUUID(op, op.db, args.coll, c)
	}
	if err != nil {
		return nil, err
	}
	if c == nil {
		return &pipelineFeed{out: emptySource{}}, nil // it is over before it begins, even for a batch of nothing
	}
	hint, err := args.planHint(c)
	if err != nil {
		return nil, err
	}
	if args.tailable {
		if c.Cap == nil {
			return nil, mongoerr.New(mongoerr.BadValue, "error processing query: tailable cursor requested on non capped collection %s", c.NS())
		}
		spec.Limit = 0 // it counts what comes, which is not over at the end of the collection
		if hint.Natural == 0 {
			hint = plan.Hint{Natural: 1}
		}
	}
	bounds, err := args.bounds(hint, f.Collation())
	if err != nil {
		return nil, err
	}
	p := plan.Choose(c, plan.Query{Filter: f, Order: spec.Ordering, Limit: args.limit, Hint: hint, Bounds: bounds, Beyond: args.skip > 0 || args.recordID})
	if p.Sorted {
		spec.Ordering = nil
	}
	noteScan(op, c, p, args.tailable)
	walk := p.Open(op.view)
	if args.tailable {
		walk.Tail()
	}
	return &pipelineFeed{walk: walk, out: args.source(spec, walk), left: args.most(p)}, nil
}

// most is how many documents a find by a plan gives at most; negative: any number. Of one _id it is known that nothing follows: the cursor
// does not stay open to find that out.
func (f *findArgs) most(p *plan.Plan) int64 {
	switch {
	case p.OnlyPoint():
		return 1
	case f.limit == 0:
		return -1
	}
	return f.limit
}

// planHint is what the hint asks for; the order {$natural} is one too.
func (f *findArgs) planHint(c *store.Collection) (plan.Hint, error) {
	hint, err := planHint(c, f.hint)
	if err != nil {
		return hint, err
	}
	backwards, natural, err := ordering.Natural(f.sort)
	if err != nil || !natural {
		return hint, err
	}
	by := plan.Hint{Natural: 1}
	if backwards {
		by.Natural = -1
	}
	switch {
	case hint.Index != nil:
		return hint, mongoerr.New(mongoerr.BadValue, "index hint not allowed with $natural sort order")
	case hint.Natural != 0 && hint != by:
		return hint, mongoerr.New(mongoerr.BadValue, "$natural hint must be in the same direction as $natural sort order")
	}
	return by, nil
}
