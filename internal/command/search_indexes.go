package command

import "github.com/sluicestream/sluice/internal/mongoerr"

// searchIndexes is the answer to the commands that manage indexes of Atlas Search.
func searchIndexes(op *operation) error {
	return mongoerr.New(mongoerr.SearchNotEnabled, "%s: search indexes belong to Atlas Search, which this server does not have", op.cmd.name)
}
