package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
)

// aggregateArgs are the arguments of aggregate.
type aggregateArgs struct {
	coll          string // empty for {aggregate: 1}
	pipeline, let bsonraw.Doc
	hint          bsonraw.Value
	collation     collationArgument
	batchSize     int64 // negative: not given
	hasCursor     bool
	explain       bool
	hasExplain    bool
	ignored       bool
	bypass        bool
}

// aggregate {aggregate: <collection> or 1, pipeline, cursor: {batchSize}, hint, let, ...} opens a cursor over what the pipeline
// gives: of a collection, or of a change stream. With explain: true it tells how that would be done.
func aggregate(op *operation) error {
	op.body = op.body.Clone() // what is compiled from it lives as long as the cursor
	args := aggregateArgs{batchSize: -1}
	if err := op.arguments(args.parse); err != nil {
		return err
	}
	if args.pipeline == nil {
		return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field 'aggregate.pipeline' is missing but a required field")
	}
	if args.explain {
		return explainAggregate(op)
	}
	if !args.hasCursor && !args.hasExplain {
		return mongoerr.New(mongoerr.FailedToParse, "The 'cursor' option is required, except for aggregate with the explain argument")
	}
	first, argument, err := aggregation.FirstStage(args.pipeline)
	if err != nil {
		return err
	}
	if err := checkStagesInTransaction(op, args.pipeline); err != nil {
		return err
	}
	if first == "$changeStream" {
		return openStream(op, &args, argument)
	}
	if err := args.checkPlace(op, first); err != nil {
		return err
	}
	ns := op.db + "." + args.coll
	if args.coll == "" {
		ns = op.db + "." + noCollectionName
	}
	feed, err := openAggregate(op, &args)
	if err != nil {
		return err
	}
	if err := op.openCursor(&cursor{ns: ns, feed: feed}, args.limit(), false); err != nil {
		return err
	}
	if feed.env.last.Last == 0 {
		return nil
	}
	return op.acknowledge(feed.env.last)
}

// noCollectionName is what cursors of no collection are called by.
const noCollectionName = "$cmd.aggregate"

// checkPlace refuses what depends on where the pipeline runs.
func (f *aggregateArgs) checkPlace(op *operation, first string) error {
	if f.coll == "" {
		if !aggregation.NeedsNoCollection(first) {
			return noCollection(first)
		}
		if op.wantUUID != nil {
			return mongoerr.New(4928901, "collectionUUID is not supported for a collectionless aggregation")
		}
	}
	if level := op.readConcern.level; aggregation.LocalOnly(first) && level != "" && level != "local" {
		return mongoerr.New(mongoerr.InvalidOptions, "Aggregation stage %s cannot run with a readConcern other than 'local'. Current readConcern: %s", first, level)
	}
	if op.readConcern.level != "linearizable" {
		return nil
	}
	for it := f.pipeline.Iter(); it.Next(); {
		stage := it.Value().Doc().Iter()
		if stage.Next() && (string(stage.Key()) == "$out" || string(stage.Key()) == "$merge") {
			return mongoerr.New(mongoerr.InvalidOptions, "%s cannot be used with a 'linearizable' read concern level", stage.Key())
		}
	}
	return nil
}

// limit is the limit of the first batch.
func (f *aggregateArgs) limit() batchLimit {
	if f.batchSize < 0 {
		return batchLimit{docs: defaultFirstBatch, bytes: maxBatchBytes}
	}
	return batchLimit{docs: int(f.batchSize), bytes: maxBatchBytes}
}

// noCollection is the error of a pipeline without a source.
func noCollection(first string) error {
	if first == "" {
		return mongoerr.New(mongoerr.InvalidNamespace, "{aggregate: 1} is not valid for an empty pipeline.")
	}
	return mongoerr.New(mongoerr.InvalidNamespace, "{aggregate: 1} is not valid for '%s'; a collection is required.", first)
}

func (f *aggregateArgs) parse(name string, a argument) error {
	switch name {
	case "aggregate":
		if n, ok := a.AsInt64(); ok && n == 1 {
			return nil
		}
		if a.Type.IsNumber() {
			return mongoerr.New(mongoerr.FailedToParse, "Invalid command format: the 'aggregate' field must specify a collection name or 1")
		}
		if a.Type != bsonraw.TypeString {
			return mongoerr.New(mongoerr.TypeMismatch, "BSON field 'aggregate' is the wrong type '%s', expected a collection's name or 1", a.Type.Name())
		}
		if a.Str() == noCollectionName {
			return mongoerr.New(mongoerr.InvalidNamespace, "Invalid collection name specified '%s.%s'", a.op.db, a.Str())
		}
		return formedName(a, &f.coll)
	case "pipeline":
		return a.array(&f.pipeline)
	case "cursor":
		err := f.parseCursor(a)
		f.hasCursor = f.hasCursor || err == nil
		return err
	case "let":
		return a.doc(&f.let)
	case "hint":
		f.hint = a.Value
		return checkHint(f.hint)
	case "allowDiskUse":
		return a.strictFlag(&f.ignored)
	case "bypassDocumentValidation":
		return a.flag(&f.bypass)
	case "explain":
		if a.Type != bsonraw.TypeBool {
			return mongoerr.New(mongoerr.TypeMismatch, "explain must be a boolean")
		}
		f.explain, f.hasExplain = a.Bool(), true
		return nil
	case "collation":
		return a.collation(&f.collation)
	case "collectionUUID":
		return parseCollectionUUID(a)
	case "fromMongos", "needsMerge", "isMapReduceCommand":
		return a.unsupportedUnlessFalse()
	}
	return a.unknown()
}

func (f *aggregateArgs) parseCursor(a argument) error {
	var c bsonraw.Doc
	if err := a.doc(&c); err != nil {
		return err
	}
	once := mqlargument.NewOnce("cursor", c)
	for it := c.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		if string(it.Key()) != "batchSize" {
			return mongoerr.New(mongoerr.IDLUnknownField, "BSON field 'aggregate.cursor.%s' is an unknown field.", it.Key())
		}
		if isNullish(it.Value()) {
			continue
		}
		if err := (argument{a.op, "batchSize", it.Value()}).count(&f.batchSize); err != nil {
			return err
		}
	}
	return nil
}

// openAggregate opens the feed of a pipeline on a collection or a view, or on no collection.
func openAggregate(op *operation, args *aggregateArgs) (*pipelineFeed, error) {
	if err := op.prepareRead(); err != nil {
		return nil, err
	}
	env := newEnvironment(op)
	env.bypass = args.bypass
	if err := args.resolve(op); err != nil {
		return nil, err
	}
	if err := checkSnapshotOf(op, args.coll); err != nil {
		return nil, err
	}
	scope, err := op.scope(args.coll, args.collation, args.let)
	if err != nil {
		return nil, err
	}
	pipeline, err := aggregation.Compile(args.pipeline, aggregation.Options{
		Scope: scope, DB: op.db, Coll: args.coll, Environment: env, Transaction: op.transaction != nil,
	})
	if err != nil {
		return nil, err
	}
	feed := &pipelineFeed{env: env, left: -1}
	if args.coll == "" {
		feed.out = pipeline.Run(emptySource{})
		return feed, nil
	}
	c, err := op.collection(args.coll)
	if err == nil {
		err = checkUUID(op, op.db, args.coll, c)
	}
	if err != nil {
		return nil, err
	}
	if !pipeline.ReadsCollection() {
		c = nil
	}
	feed.out, err = env.read(c, pipeline, args.hint)
	return feed, err
}
