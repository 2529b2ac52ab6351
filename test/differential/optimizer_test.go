package differential

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

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
	for _, command := range unplanned(at.command, fails > 0) {
		at.command = command
		until := scenario{name: s.name, steps: append(slices.Clone(s.steps[:d.step]), at)}
		database := fmt.Sprintf("differential_%d_%d_%d", started, os.Getpid(), serial.Add(1))
		outcomes, err := perform(ctx, mongod, database, until)
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

// unplanned are the ways to ask a read of mongod so that it does what is written: with the stages in their order, and from the collection
// itself. For a read that fails on one side only the order of stages matters.
func unplanned(command bson.D, fails bool) []bson.D {
	collection := func(command bson.D) bson.D {
		return append(slices.Clone(command), bson.E{Key: "hint", Value: doc("$natural", 1)})
	}
	switch name, hinted := command[0].Key, has(command, "hint"); {
	case name == "aggregate" && !fails && !hinted && command[0].Value != view:
		return []bson.D{inOrder(command), collection(inOrder(command))}
	case name == "aggregate":
		return []bson.D{inOrder(command)}
	case name == "find" && command[0].Value == view:
		return []bson.D{inOrder(asPipeline(command))}
	case name != "distinct" && !fails && !hinted:
		return []bson.D{collection(command)}
	}
	return nil
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

// inOrder is a pipeline in which every stage is where it is.
func inOrder(command bson.D) bson.D {
	command = slices.Clone(command)
	for i, e := range command {
		if stages, ok := e.Value.(bson.A); ok && e.Key == "pipeline" {
			command[i].Value = separate(stages, command[0].Value == view)
		}
	}
	return command
}

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
		if begun {
			out = append(out, doc("$_internalInhibitOptimization", bson.D{}))
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
