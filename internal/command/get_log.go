package command

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// logNames are the logs that clients may ask for. Both are empty: this server's log goes to whoever runs it, and nothing at its
// start is worth a warning to clients.
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
		op.out = bsonraw.AppendInt32(op.out, "totalLinesWritten", 0)
		op.appendList("log", nil)
		return nil
	}
	return mongoerr.New(mongoerr.OperationFailed, "No log named '%s'", which)
}

// required is the error of an argument that must be there and is not.
func required(op *operation, name string) error {
	return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.%s' is missing but a required field", op.cmd.name, name)
}
