package command

import (
	"maps"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// listCommands {listCommands: 1} lists the commands that there are.
func listCommands(op *operation) error {
	if err := noArguments(op); err != nil {
		return err
	}
	table := table()
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "commands")
	for _, name := range slices.Sorted(maps.Keys(table)) {
		op.out = table[name].appendTo(op.out)
	}
	op.out = bsonraw.EndDoc(op.out, at)
	return nil
}

// appendTo appends what listCommands tells of a command.
func (c *command) appendTo(out []byte) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, c.name)
	out = bsonraw.AppendString(out, "help", c.help)
	out = bsonraw.AppendBool(out, "requiresAuth", c.privilege != public)
	out = bsonraw.AppendBool(out, "secondaryOk", true)
	out = bsonraw.AppendBool(out, "adminOnly", c.admin)
	versions := bsonraw.BeginArray(nil)
	if stableCommands[c.name] {
		versions.Append(bsonraw.StringValue("1"))
	}
	out = bsonraw.AppendArray(out, "apiVersions", versions.End())
	out = bsonraw.AppendArray(out, "deprecatedApiVersions", bsonraw.Empty)
	return bsonraw.EndDoc(out, at)
}
