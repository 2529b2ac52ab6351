package differential

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

var failed = regexp.MustCompile(`"ok":\{"\$numberDouble":"0\.0"\}`)

// asWritten reports whether mongod gives the engine's reply to a read too, when it does what is written without a plan of its own.
// Its optimizer moves filters past stages, joins stages and leaves some out. MongoDB does not promise which, and where an expression fails for a
// document that a filter further on leaves out, its own reply depends on that: either is right. Of several mistakes in one read either may be
// told first; that each is told with its code is for scenarios to show. And there are conditions whose documents mongod misses in an index,
// but finds in the collection.
func asWritten(ctx context.Context, mongod server, s scenario, d difference) (bool, error) {
	at := s.steps[d.step]
	if at.verb != "run" || len(at.command) == 0 || !slices.Contains([]string{"aggregate", "find", "count", "distinct"}, at.command[0].Key) {
		return false, nil
	}
	fails := 0
	for _, outcome := range d.outcomes {
		if failed.MatchString(outcome) {
			fails++
		}
	}
	if fails == len(d.outcomes) {
		return true, nil
	}
	for _, steps := range unplanned(s.steps[:d.step], at, fails > 0) {
		outcomes, err := perform(ctx, mongod, newDatabase(), scenario{name: s.name, steps: steps})
		if err != nil {
			return false, err
		}
		if named.ReplaceAllString(outcomes[d.step], "") == named.ReplaceAllString(d.outcomes[0], "") {
			return true, nil
		}
	}
	return false, nil
}

var named = regexp.MustCompile(`differential_\d+_\d+_\d+`)

// unplanned are the ways to ask a read of mongod so that it does what is written, with the steps before it: with the stages in their
// order, those of a view too, and from the collection itself. For a read that fails on one side only the order of stages matters.
func unplanned(before []step, read step, fails bool) (ways [][]step) {
	way := func(before []step, command bson.D) {
		read.command = command
		ways = append(ways, append(slices.Clone(before), read))
	}
	collection := func(command bson.D) bson.D {
		return append(slices.Clone(command), bson.E{Key: "hint", Value: doc("$natural", 1)})
	}
	command := read.command
	switch name, hinted, ofView := command[0].Key, has(command, "hint"), command[0].Value == view; {
	case name == "aggregate":
		way(before, inOrder(command))
		if !fails {
			way(before, wholeDocuments(command))
		}
		if !fails && !hinted && !ofView {
			way(before, collection(inOrder(command)))
		}
	case name == "find" && ofView:
		way(before, inOrder(asPipeline(command)))
	case name != "distinct" && !fails && !hinted:
		way(before, collection(command))
		if name == "find" {
			way(before, wholeDocuments(asPipeline(command)))
		}
	}
	if command[0].Value == view {
		way(viewsInOrder(before), command)
	}
	return ways
}

// viewsInOrder are steps in which every stage of a view is where it is, also before what is asked of the view.
func viewsInOrder(steps []step) []step {
	steps = slices.Clone(steps)
	for i, one := range steps {
		if has(one.command, "viewOn") {
			steps[i].command = inOrder(one.command)
		}
	}
	return steps
}

// writes reports whether a pipeline writes what it gives.
func writes(one step) bool {
	text := jsonOf(one.command)
	return strings.Contains(text, `"$out"`) || strings.Contains(text, `"$merge"`)
}

// ofIndex is an error of one of several indexes: a key that is there already, or that cannot be made.
var ofIndex = regexp.MustCompile(`: engine (11000|16766|171), mongod (11000|16766|171)$`)

// reordered reports whether both servers may refuse a write for different indexes: mongod asks an index that was hidden or shown again
// after all others, until it is restarted.
func reordered(s scenario, d difference) bool {
	hidden := slices.ContainsFunc(s.steps[:d.step], func(one step) bool {
		return len(one.command) > 0 && one.command[0].Key == "collMod" && has(one.command, "index")
	})
	return hidden && ofIndex.MatchString(d.class(s))
}

// inOrder is a pipeline, or a view, in which every stage is where it is.
func inOrder(command bson.D) bson.D {
	command = slices.Clone(command)
	for i, e := range command {
		stages, ok := e.Value.(bson.A)
		switch {
		case !ok || e.Key != "pipeline":
		case has(command, "viewOn"):
			command[i].Value = append(separate(stages, false), inhibited)
		default:
			command[i].Value = separate(stages, command[0].Value == view)
		}
	}
	return command
}

// wholeDocuments is a pipeline whose first stage too gets documents as they are: before a sort mongod leaves out of them what the stages behind it
// do not read, and elements of arrays that the sort looks at go with it.
func wholeDocuments(command bson.D) bson.D {
	command = inOrder(command)
	for i, e := range command {
		if stages, ok := e.Value.(bson.A); ok && e.Key == "pipeline" {
			command[i].Value = append(bson.A{inhibited}, stages...)
		}
	}
	return command
}

// inhibited is a stage that mongod moves nothing past.
var inhibited = doc("$_internalInhibitOptimization", bson.D{})

// asPipeline is a find as the pipeline that it is for a view.
func asPipeline(find bson.D) bson.D {
	stages, rest := bson.A{}, bson.D{}
	for _, one := range []struct{ argument, stage string }{
		{"filter", "$match"}, {"sort", "$sort"}, {"skip", "$skip"}, {"limit", "$limit"}, {"projection", "$project"},
	} {
		if v := field(find, one.argument); v != nil && v != 0 {
			stages = append(stages, doc(one.stage, v))
		}
	}
	for _, name := range []string{"collation", "let"} {
		if v := field(find, name); v != nil {
			rest = append(rest, bson.E{Key: name, Value: v})
		}
	}
	command := bson.D{{Key: "aggregate", Value: find[0].Value}, {Key: "pipeline", Value: stages}, {Key: "cursor", Value: bson.D{}}}
	return append(command, rest...)
}

// separate puts something between stages that mongod moves nothing past, in the pipelines within stages too.
func separate(stages bson.A, begun bool) bson.A {
	out := bson.A{}
	for _, stage := range stages {
		if d, ok := stage.(bson.D); begun && !(ok && has(d, "$documents")) { // which can only be the first
			out = append(out, inhibited)
		}
		begun = true
		out = append(out, separateWithin(stage))
	}
	return out
}

func separateWithin(stage any) any {
	d, ok := stage.(bson.D)
	if !ok || len(d) == 0 {
		return stage
	}
	fields, ok := d[0].Value.(bson.D)
	if !ok || !slices.Contains([]string{"$unionWith", "$lookup", "$facet"}, d[0].Key) {
		return stage
	}
	fields = slices.Clone(fields)
	for i, e := range fields {
		if stages, is := e.Value.(bson.A); is {
			fields[i].Value = separate(stages, true)
		}
	}
	return doc(d[0].Key, fields)
}

// TestViewsInOrder shows that a count of a view is explained by the order of the view's stages: mongod asks its filter before a stage that fails
// for a field that is overwritten.
func TestViewsInOrder(t *testing.T) {
	t.Parallel()
	on := both(t)
	fails := doc("$set", doc("c", doc("$dateToParts", bson.D{{Key: "date", Value: "$_id"}})))
	for _, read := range []bson.D{
		{{Key: "count", Value: view}, {Key: "query", Value: doc("c.a", 1)}},
		{{Key: "distinct", Value: view}, {Key: "key", Value: "_id"}, {Key: "query", Value: doc("c.a", 1)}},
		{{Key: "find", Value: view}, {Key: "filter", Value: doc("c.a", 1)}},
		{{Key: "aggregate", Value: view}, {Key: "pipeline", Value: bson.A{doc("$match", doc("c.a", 1))}}, {Key: "cursor", Value: bson.D{}}},
	} {
		s := scenario{name: "a view", steps: []step{
			{verb: "run", command: bson.D{{Key: "insert", Value: collection}, {Key: "documents", Value: bson.A{doc("_id", 1)}}}},
			{verb: "run", command: bson.D{
				{Key: "create", Value: view}, {Key: "viewOn", Value: collection}, {Key: "pipeline", Value: bson.A{fails, doc("$set", doc("c", "$b"))}},
			}},
			{verb: "run", command: read},
		}}
		d, err := firstUnexplained(t.Context(), on, nil, s)
		if err != nil {
			t.Fatal(err)
		}
		if d != nil {
			t.Errorf("not explained: %s", d.describe(s))
		}
	}
}
