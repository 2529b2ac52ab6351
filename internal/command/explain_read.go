package command

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/plan"
)

// find explains a find.
func (x *explanation) find(op *operation) error {
	var args findArgs
	if err := args.read(op); err != nil {
		return err
	}
	if isView(op, args.coll) {
		below, err := args.aggregation(op)
		if err != nil {
			return err
		}
		return x.pipeline(op, below)
	}
	x.ns = op.db + "." + args.coll
	feed, err := openFind(op, &args)
	if err != nil {
		return err
	}
	feed.env = nil
	if x.walk = feed.walk; x.walk == nil {
		x.query, err = compiledFor(op, args.coll, args.collation, args.filter)
		return err
	}
	x.query = x.walk.Plan().Filter()
	x.run = func() (int64, error) { return drain(op, feed.out) }
	return x.overFind(&args)
}

// compiledFor compiles the filter of a command on a collection that does not exist.
func compiledFor(op *operation, coll string, by collationArgument, query bsonraw.Doc) (*filter.Filter, error) {
	scope, err := op.scope(coll, by, nil)
	if err != nil {
		return nil, err
	}
	return filter.Compile(query, filter.Options{Scope: scope})
}

// overFind puts the stages of a find onto its plan.
func (x *explanation) overFind(args *findArgs) error {
	_, natural, err := ordering.Natural(args.sort)
	if err != nil {
		return err
	}
	wanted := args.limit
	if !args.sort.IsEmpty() && !natural && !x.walk.Plan().Sorted {
		least := int64(0)
		if args.limit > 0 {
			least = args.limit + args.skip
		}
		x.over = append(x.over, sortStage(args.sort, least, "simple"))
		wanted = 0
	}
	if args.skip > 0 {
		x.over = append(x.over, func(in *plan.Stage) *plan.Stage {
			s := onTop("SKIP", in, max(in.Returned-args.skip, 0))
			s.Fields = bsonraw.AppendInt(nil, "skipAmount", args.skip)
			return s
		})
	}
	if args.returnKey {
		x.over = append(x.over, func(in *plan.Stage) *plan.Stage { return onTop("RETURN_KEY", in, in.Returned) })
	} else if !args.projection.IsEmpty() {
		x.over = append(x.over, projectionStage(args.projection))
	}
	if wanted > 0 {
		x.over = append(x.over, func(in *plan.Stage) *plan.Stage {
			s := onTop("LIMIT", in, min(in.Returned, wanted))
			s.Fields = bsonraw.AppendInt(nil, "limitAmount", wanted)
			s.Ended = s.Ended || s.Returned == wanted
			return s
		})
	}
	return nil
}

// onTop puts a stage onto another that takes its documents one by one.
func onTop(name string, in *plan.Stage, returned int64) *plan.Stage {
	s := plan.NewStage(name, in)
	s.Returned, s.Works, s.Ended = returned, in.Works, in.Ended
	return s
}

// sortStage sorts; least is how many of the first are wanted, 0 for all. What it keeps of documents is "simple", or "default", with their places, for
// who changes them.
func sortStage(order bsonraw.Doc, least int64, keeps string) stageMaker {
	return func(in *plan.Stage) *plan.Stage {
		returned := in.Returned
		if least > 0 {
			returned = min(returned, least)
		}
		s := onTop("SORT", in, returned)
		s.Works += returned
		s.Fields = bsonraw.AppendDoc(nil, "sortPattern", order)
		s.Fields = bsonraw.AppendInt(s.Fields, "memLimit", aggregation.SortMemory)
		if least > 0 {
			s.Fields = bsonraw.AppendInt(s.Fields, "limitAmount", least)
		}
		s.Fields = bsonraw.AppendString(s.Fields, "type", keeps)
		s.Counters = bsonraw.AppendBool(nil, "usedDisk", false)
		s.Counters = bsonraw.AppendInt(s.Counters, "spills", 0)
		return s
	}
}

// projectionStage projects. It is simple where it only takes or leaves fields of the document itself.
func projectionStage(spec bsonraw.Doc) stageMaker {
	name := "PROJECTION_SIMPLE"
	for it := spec.Iter(); it.Next(); {
		v := it.Value()
		if strings.ContainsAny(string(it.Key()), ".$") || v.Type != bsonraw.TypeBool && !v.Type.IsNumber() || !v.Truthy() && string(it.Key()) != "_id" {
			name = "PROJECTION_DEFAULT"
		}
	}
	return func(in *plan.Stage) *plan.Stage {
		s := onTop(name, in, in.Returned)
		s.Fields = bsonraw.AppendDoc(nil, "transformBy", spec)
		return s
	}
}

// drain reads a source to its end.
func drain(op *operation, src aggregation.Source) (n int64, err error) {
	for {
		_, err := src.Next(op.ctx)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, readError(op, err)
		}
		n++
	}
}

// explainAggregate explains an aggregate that asks for it itself.
func explainAggregate(op *operation) error {
	if op.writeConcern.present {
		return mongoerr.New(mongoerr.FailedToParse, "Aggregation explain does not support the 'writeConcern' option")
	}
	if level := op.readConcern.level; level != "" && level != "local" {
		return mongoerr.New(mongoerr.InvalidOptions, "Explain for the aggregate command does not support a read concern of the level %s", level)
	}
	x := explanation{verbosity: onlyPlan, asArgument: true}
	return x.explain(op, op.body)
}

// aggregate explains an aggregate.
func (x *explanation) aggregate(op *operation) error {
	args := aggregateArgs{batchSize: -1}
	if err := op.arguments(args.parse); err != nil {
		return err
	}
	if args.hasExplain && !x.asArgument {
		return mongoerr.New(mongoerr.FailedToParse, "The 'explain' option is illegal when a explain verbosity is also provided")
	}
	if args.pipeline == nil {
		return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field 'aggregate.pipeline' is missing but a required field")
	}
	if !args.hasCursor && !args.hasExplain {
		return mongoerr.New(mongoerr.FailedToParse, "The 'cursor' option is required, except for aggregate with the explain argument")
	}
	return x.pipeline(op, &args)
}

// pipeline explains a pipeline.
func (x *explanation) pipeline(op *operation, args *aggregateArgs) error {
	first, _, err := aggregation.FirstStage(args.pipeline)
	if err != nil {
		return err
	}
	if first == "$changeStream" {
		return mongoerr.New(mongoerr.CommandNotSupported, "explain: change streams are not explained by this server: they read the oplog from their position on")
	}
	if err := args.checkPlace(op, first); err != nil {
		return err
	}
	given := args.pipeline
	args.pipeline = withoutOutput(given)
	feed, err := openAggregate(op, args)
	if err != nil {
		return err
	}
	x.ns = op.db + "." + args.coll
	x.run = func() (int64, error) { return drain(op, feed.out) }
	open, reads := feed.out.(*openPipeline)
	if !reads {
		x.isolated = true
		x.rest = stagesOf(given)
		return nil
	}
	sorted := false
	if x.walk = open.walk; x.walk != nil {
		x.query, sorted = x.walk.Plan().Filter(), x.walk.Plan().Sorted
	} else if x.query, err = compiledFor(op, args.coll, args.collation, leadingMatch(given)); err != nil {
		return err
	}
	x.rest = behindPlan(given, args, sorted)
	x.optimized = x.rest == nil
	return nil
}

// leadingMatch returns what the first stages of a pipeline ask of a document.
func leadingMatch(pipeline bsonraw.Doc) bsonraw.Doc {
	all := bsonraw.BeginArray(nil)
	n := 0
	var last bsonraw.Doc
	for _, stage := range stagesOf(pipeline) {
		if !isStage(stage, "$match") {
			break
		}
		last = stage.Lookup("$match").Doc()
		all.AppendDoc(last)
		n++
	}
	switch n {
	case 0:
		return bsonraw.Empty
	case 1:
		return last
	}
	d, at := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(bsonraw.AppendArray(d, "$and", all.End()), at)
}

// behindPlan returns the stages that a plan does not take over; nil if none is left.
func behindPlan(given bsonraw.Doc, args *aggregateArgs, sorted bool) []bsonraw.Doc {
	stages := stagesOf(given)
	if args.pipeline.Len() > given.Len() { // of a view
		stages = stagesOf(args.pipeline)
	}
	for len(stages) > 0 && isStage(stages[0], "$match") {
		stages = stages[1:]
	}
	if len(stages) > 0 && sorted && isStage(stages[0], "$sort") {
		stages = stages[1:]
	}
	if len(stages) == 0 {
		return nil
	}
	return stages
}

func isStage(stage bsonraw.Doc, name string) bool {
	it := stage.Iter()
	return it.Next() && string(it.Key()) == name
}

// isOutput reports whether a stage writes.
func isOutput(stage bsonraw.Doc) bool { return isStage(stage, "$out") || isStage(stage, "$merge") }

func stagesOf(pipeline bsonraw.Doc) []bsonraw.Doc {
	stages := []bsonraw.Doc{}
	for it := pipeline.Iter(); it.Next(); {
		stages = append(stages, it.Value().Doc())
	}
	return stages
}

// withoutOutput takes the stage away that writes.
func withoutOutput(pipeline bsonraw.Doc) bsonraw.Doc {
	list := bsonraw.BeginArray(nil)
	for it := pipeline.Iter(); it.Next(); {
		if v := it.Value(); !v.IsDoc() || !isOutput(v.Doc()) {
			list.Append(v)
		}
	}
	return list.End()
}

// count explains a count: it is let run up to the choice of a plan.
func (x *explanation) count(op *operation) error {
	if coll := op.body.Lookup("count").Str(); isView(op, coll) {
		return x.ofView(op, coll)
	}
	return count(op)
}

// distinct explains a distinct.
func (x *explanation) distinct(op *operation) error {
	if coll := op.body.Lookup("distinct").Str(); isView(op, coll) {
		return x.ofView(op, coll)
	}
	return distinct(op)
}

// ofView explains what a count or a distinct reads of a view.
func (x *explanation) ofView(op *operation, view string) error {
	var by collationArgument
	if v := op.body.Lookup("collation"); v.IsDoc() {
		var err error
		if by, err = givenCollation(v.Doc()); err != nil {
			return err
		}
	}
	stages := newStages()
	stages.addMatch(op.body.Lookup("query").Doc())
	return x.pipeline(op, &aggregateArgs{coll: view, pipeline: stages.array.End(), hint: op.body.Lookup("hint"), collation: by})
}

// reads takes the plan of a count or a distinct.
func (x *explanation) reads(op *operation, coll string, f *filter.Filter, walk *plan.Walk) {
	x.ns, x.query, x.walk = op.db+"."+coll, f, walk
	if walk == nil {
		x.query = nil
	}
	if op.cmd.name == "count" {
		x.over = append(x.over, func(in *plan.Stage) *plan.Stage { return countStage(op, in) })
	}
	if walk != nil {
		x.run = func() (int64, error) { return drain(op, walkSource{walk}) }
	}
}

// countsAll takes a count of all documents, for which there is no plan.
func (x *explanation) countsAll(op *operation, coll string, n int64) {
	x.ns, x.counted = op.db+"."+coll, n
	x.over = append(x.over, func(in *plan.Stage) *plan.Stage {
		in.Counters = bsonraw.AppendInt(nil, "nCounted", n)
		in.Counters = bsonraw.AppendInt(in.Counters, "nSkipped", 0)
		return in
	})
}

// countStage counts what a plan gives, less what the command skips.
func countStage(op *operation, in *plan.Stage) *plan.Stage {
	s := onTop("COUNT", in, 0)
	skip, _ := op.body.Lookup("skip").AsInt64()
	skipped := min(max(skip, 0), in.Returned)
	counted := in.Returned - skipped
	if limit, _ := op.body.Lookup("limit").AsInt64(); limit != 0 {
		counted = min(counted, max(limit, -limit))
	}
	s.Counters = bsonraw.AppendInt(nil, "nCounted", counted)
	s.Counters = bsonraw.AppendInt(s.Counters, "nSkipped", skipped)
	return s
}

// splitAddress splits "host:port".
func splitAddress(address string) (host string, port int32) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	n, _ := strconv.ParseInt(text, 10, 32) // what is no number is no port
	return host, int32(n)
}
