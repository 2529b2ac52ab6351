package command

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// logNames are the logs that clients may ask for. The second one is empty: nothing at the server's start is worth a warning to
// clients.
var logNames = []string{"global", "startupWarnings"}

// getLog {getLog: "*" | <name>} lists the logs or gives one.
func getLog(op *operation) error {
	var which string
	err := op.arguments(func(name string, a argument) error {
		if name == "getLog" {
			return a.str(&which)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	if which == "" && op.body.Lookup("getLog").Type == bsonraw.TypeNull {
		return required(op, "getLog")
	}
	if which == "*" {
		var names []bsonraw.Value
		for _, n := range logNames {
			names = append(names, bsonraw.StringValue(n))
		}
		op.appendList("names", names)
		return nil
	}
	if slices.Contains(logNames, which) {
		var lines []string
		var total int64
		if which == "global" {
			lines, total = op.server.log.newest()
		}
		op.out = bsonraw.AppendValue(op.out, "totalLinesWritten", numberValue(total))
		op.out = appendTexts(op.out, "log", lines)
		return nil
	}
	return mongoerr.New(mongoerr.OperationFailed, "No log named '%s'", which)
}

// required is the error of an argument that must be there and is not.
func required(op *operation, name string) error {
	return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.%s' is missing but a required field", op.cmd.name, name)
}
