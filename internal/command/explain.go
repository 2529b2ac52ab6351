package command

import (
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/plan"
)

// explain {explain: {find | aggregate | count | distinct | update | delete | findAndModify: ...}, verbosity} tells how a command
// would be done, and with the verbosities "executionStats" and "allPlansExecution" (the default) what it took to do it. Writes are
// not done. Plans are chosen by rules, not by trial, so there are no rejected ones.
func explain(op *operation) error {
	x := explanation{verbosity: allPlans}
	var inner bsonraw.Doc
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "explain":
			return a.doc(&inner)
		case "verbosity":
			return x.parseVerbosity(a)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	return x.explain(op, inner)
}

// How much an explanation tells.
const (
	onlyPlan  = "queryPlanner"
	withStats = "executionStats"
	allPlans  = "allPlansExecution"
)

// explanation is what an explain finds out.
type explanation struct {
	verbosity  string
	asArgument bool   // of an aggregate, not as a command
	of         string // the name of the command
	ns         string
	query      *filter.Filter // nil: there is none
	walk       *plan.Walk     // nil: there is no collection, or a count that needs none
	over       []stageMaker   // stages on the plan, from the inside out
	rest       []bsonraw.Doc  // stages of a pipeline behind the plan; nil if the plan is all of it
	isolated   bool           // they read no collection
	optimized  bool           // the plan is all of a pipeline
	counted    int64          // documents of a count that needs no plan; negative: there is a plan

	run      func() (returned int64, err error) // does it, and returns how many documents came out
	returned int64
	took     time.Duration
}

// stageMaker puts a stage onto another, when it is known what that has done.
type stageMaker func(*plan.Stage) *plan.Stage

func (x *explanation) parseVerbosity(a argument) error {
	if err := a.str(&x.verbosity); err != nil {
		return err
	}
	switch x.verbosity {
	case onlyPlan, withStats, allPlans:
		return nil
	}
	return mongoerr.New(mongoerr.BadValue, "Enumeration value '%s' for field 'explain.verbosity' is not a valid value.", x.verbosity)
}

// explainers are the commands that can be explained.
func explainers() map[string]func(*explanation, *operation) error {
	return map[string]func(*explanation, *operation) error{
		"aggregate": (*explanation).aggregate, "count": (*explanation).count, "distinct": (*explanation).distinct, "find": (*explanation).find,
		"update": (*explanation).write, "delete": (*explanation).write, "findAndModify": (*explanation).write,
	}
}

// explain explains a command and appends what it found.
func (x *explanation) explain(op *operation, body bsonraw.Doc) error {
	body = body.Clone()
	it := body.Iter()
	if !it.Next() {
		return mongoerr.New(mongoerr.CommandNotFound, "Explain failed due to unknown command: ")
	}
	cmd := lookup(it.Key())
	if cmd == nil {
		return mongoerr.New(mongoerr.CommandNotFound, "Explain failed due to unknown command: %s", it.Key())
	}
	if db := body.Lookup("$db"); !db.IsMissing() && db.Str() != op.db {
		return mongoerr.New(mongoerr.InvalidNamespace, "Mismatched $db in explain command. Expected %s but got %s", op.db, db.Str())
	}
	run := explainers()[cmd.name]
	switch {
	case cmd.name == "explain":
		return mongoerr.New(mongoerr.IllegalOperation, "Explain cannot explain itself.")
	case run == nil:
		return mongoerr.New(mongoerr.IllegalOperation, "Cannot explain cmd: %s", it.Key())
	}
	if err := mqlargument.RefuseRepeated(cmd.name, body); err != nil {
		return err
	}
	inner := *op // its reply is not given to anybody
	inner.body, inner.cmd, inner.command, inner.cleanup, inner.explaining = body, cmd, cmd.name, nil, x
	inner.out, inner.start = bsonraw.BeginDoc(nil)
	x.of, x.counted = cmd.name, -1
	defer func() { cleanUp(inner.cleanup) }()
	if err := run(x, &inner); err != nil {
		return err
	}
	return x.finish(op, body)
}

// finish does what is explained, if that is asked for, and appends everything to the reply.
func (x *explanation) finish(op *operation, body bsonraw.Doc) (err error) {
	if x.walk != nil {
		defer func() {
			if closed := x.walk.Close(); err == nil {
				err = closed
			}
		}()
		if err := x.walk.Plan().Err(); err != nil {
			return err
		}
	}
	if x.verbosity != onlyPlan && x.run != nil {
		begun := time.Now()
		if x.returned, err = x.run(); err != nil {
			return err
		}
		x.took = time.Since(begun)
	}
	op.out = bsonraw.AppendString(op.out, "explainVersion", "1")
	if x.rest == nil {
		op.out = x.appendPlanner(op.out)
	} else {
		op.out = x.appendStages(op.out)
	}
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "command")
	op.out = append(op.out, elements(body)...)
	if body.Lookup("$db").IsMissing() && x.of != "findAndModify" {
		op.out = bsonraw.AppendString(op.out, "$db", op.db)
	}
	op.out = bsonraw.EndDoc(op.out, at)
	op.out = appendServerInfo(op.out, op)
	return nil
}

// appendServerInfo says who explained it.
func appendServerInfo(out []byte, op *operation) []byte {
	host, port := splitAddress(op.conn.info.Advertised)
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, "serverInfo")
	out = bsonraw.AppendString(out, "host", host)
	out = bsonraw.AppendInt32(out, "port", port)
	out = bsonraw.AppendString(out, "version", serverVersion)
	out = bsonraw.AppendString(out, "gitVersion", revision())
	return bsonraw.EndDoc(out, at)
}

// appendPlanner appends queryPlanner and executionStats.
func (x *explanation) appendPlanner(out []byte) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, "queryPlanner")
	out = bsonraw.AppendString(out, "namespace", x.ns)
	out = bsonraw.AppendBool(out, "indexFilterSet", false)
	if x.query != nil {
		out = bsonraw.AppendDoc(out, "parsedQuery", x.query.Doc())
		if by := x.query.Collation(); by != nil {
			out = bsonraw.AppendDoc(out, "collation", by.Doc())
		}
	}
	if x.optimized {
		out = bsonraw.AppendBool(out, "optimizedPipeline", true)
	}
	for _, name := range []string{"maxIndexedOrSolutionsReached", "maxIndexedAndSolutionsReached", "maxScansToExplodeReached"} {
		out = bsonraw.AppendBool(out, name, false)
	}
	winner := x.stages()
	out = bsonraw.AppendDoc(out, "winningPlan", stageDoc(winner, false))
	out = bsonraw.AppendArray(out, "rejectedPlans", bsonraw.Empty)
	out = bsonraw.EndDoc(out, at)
	if x.verbosity == onlyPlan {
		return out
	}
	var keys, docs int64
	if x.walk != nil {
		keys, docs = x.walk.Examined()
	}
	out, at = bsonraw.BeginElem(out, bsonraw.TypeDocument, "executionStats")
	out = bsonraw.AppendBool(out, "executionSuccess", true)
	out = bsonraw.AppendInt(out, "nReturned", winner.Returned)
	out = bsonraw.AppendInt(out, "executionTimeMillis", x.took.Milliseconds())
	out = bsonraw.AppendInt(out, "totalKeysExamined", keys)
	out = bsonraw.AppendInt(out, "totalDocsExamined", docs)
	out = bsonraw.AppendDoc(out, "executionStages", stageDoc(winner, true))
	if x.verbosity == allPlans {
		out = bsonraw.AppendArray(out, "allPlansExecution", bsonraw.Empty)
	}
	return bsonraw.EndDoc(out, at)
}

// stages returns the stages of the whole, the outermost one.
func (x *explanation) stages() *plan.Stage {
	var s *plan.Stage
	switch {
	case x.counted >= 0:
		s = plan.NewStage("RECORD_STORE_FAST_COUNT")
		s.Works, s.Ended = 1, true
	case x.walk == nil:
		s = plan.NewStage("EOF")
		s.Works, s.Ended = 1, true
	default:
		s = x.walk.Explain()
	}
	for _, put := range x.over {
		s = put(s)
	}
	return s
}

// appendStages appends the stages of a pipeline, the plan of its source first.
func (x *explanation) appendStages(out []byte) []byte {
	out = bsonraw.AppendHeader(out, bsonraw.TypeArray, "stages")
	list := bsonraw.BeginArray(out)
	if !x.isolated {
		entry, at := list.Begin(bsonraw.TypeDocument)
		entry, cursor := bsonraw.BeginElem(entry, bsonraw.TypeDocument, "$cursor")
		entry = bsonraw.EndDoc(x.appendPlanner(entry), cursor)
		if x.verbosity != onlyPlan {
			var read int64
			if x.walk != nil {
				read = x.walk.Matched()
			}
			entry = bsonraw.AppendInt64(entry, "nReturned", read)
		}
		list.Resume(bsonraw.EndDoc(entry, at))
	}
	for i, stage := range x.rest {
		entry, at := list.Begin(bsonraw.TypeDocument)
		entry = append(entry, elements(stage)...)
		if x.verbosity != onlyPlan && i == len(x.rest)-1 && !isOutput(stage) {
			entry = bsonraw.AppendInt64(entry, "nReturned", x.returned)
		}
		list.Resume(bsonraw.EndDoc(entry, at))
	}
	return list.End()
}

// stageDoc renders a stage with those beneath it.
func stageDoc(s *plan.Stage, stats bool) bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	out = bsonraw.AppendString(out, "stage", s.Name)
	if s.Filter != nil {
		out = bsonraw.AppendDoc(out, "filter", s.Filter)
	}
	if stats {
		out = bsonraw.AppendInt(out, "nReturned", s.Returned)
		out = bsonraw.AppendInt32(out, "executionTimeMillisEstimate", 0)
		out = bsonraw.AppendInt(out, "works", s.Works)
		out = bsonraw.AppendInt(out, "advanced", s.Returned)
		out = bsonraw.AppendInt(out, "needTime", max(s.Works-s.Returned-int64(b2i(s.Ended)), 0))
		for _, name := range []string{"needYield", "saveState", "restoreState"} {
			out = bsonraw.AppendInt32(out, name, 0)
		}
		out = bsonraw.AppendInt32(out, "isEOF", b2i(s.Ended))
	}
	out = append(out, s.Fields...)
	if stats {
		out = append(out, s.Counters...)
	}
	switch {
	case len(s.Inputs) == 1 && s.Name != "OR" && s.Name != "SORT_MERGE":
		out = bsonraw.AppendDoc(out, "inputStage", stageDoc(s.Inputs[0], stats))
	case len(s.Inputs) > 0:
		out = bsonraw.AppendHeader(out, bsonraw.TypeArray, "inputStages")
		list := bsonraw.BeginArray(out)
		for _, input := range s.Inputs {
			list.AppendDoc(stageDoc(input, stats))
		}
		out = list.End()
	}
	return bsonraw.EndDoc(out, at)
}
