package differential

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// asWritten reports whether mongod gives the engine's reply to a pipeline too, when it does the stages one after the other as they are written.
// Its optimizer moves filters past stages, joins stages and leaves some out. MongoDB does not promise which, and where an expression fails for a
// document that a filter further on leaves out, its own reply depends on that: either is right. Of several mistakes in one read either may be
// told first; that each is told with its code is for scenarios to show.
func asWritten(ctx context.Context, mongod server, s scenario, d difference) (bool, error) {
	failed := regexp.MustCompile(`"ok":\{"\$numberDouble":"0\.0"\}`)
	at := s.steps[d.step]
	if at.verb == "run" && len(at.command) > 0 && failed.MatchString(d.outcomes[0]) && failed.MatchString(d.outcomes[1]) {
		return slices.Contains([]string{"aggregate", "find", "count", "distinct"}, at.command[0].Key), nil
	}
	if at.verb != "run" || len(at.command) == 0 || at.command[0].Key != "aggregate" || !slices.ContainsFunc(d.outcomes[:], failed.MatchString) {
		return false, nil
	}
	at.command = slices.Clone(at.command)
	for i, e := range at.command {
		stages, ok := e.Value.(bson.A)
		if e.Key != "pipeline" || !ok {
			continue
		}
		const barrier = "$_internalInhibitOptimization"
		separate := bson.A{}
		for n, stage := range stages {
			if n > 0 || at.command[0].Value == view {
				separate = append(separate, bson.D{{Key: barrier, Value: bson.D{}}})
			}
			separate = append(separate, stage)
		}
		at.command[i].Value = separate
	}
	until := scenario{name: s.name, steps: append(slices.Clone(s.steps[:d.step]), at)}
	database := fmt.Sprintf("differential_%d_%d_%d", started, os.Getpid(), serial.Add(1))
	outcomes, err := perform(ctx, mongod, database, until)
	if err != nil {
		return false, err
	}
	named := regexp.MustCompile(`differential_\d+_\d+_\d+`)
	return named.ReplaceAllString(outcomes[d.step], "") == named.ReplaceAllString(d.outcomes[0], ""), nil
}
