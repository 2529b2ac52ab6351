package command

import (
	"maps"
	"slices"
)

// Group is the commands of one kind.
type Group struct {
	Kind  string
	Names []string // sorted
}

// Groups returns the commands that there are, by what they are about, and those of MongoDB that are refused.
func Groups() []Group {
	groups := []Group{
		{"Commands: documents", namesOf(documentCommands())},
		{"Commands: collections and databases", namesOf(schemaCommands())},
		{"Commands: sessions and transactions", namesOf(sessionCommands())},
		{"Commands: the server", namesOf(serverCommands())},
		{"Commands: tests", namesOf(testCommands())},
	}
	return append(groups, Group{"Other commands", slices.Sorted(maps.Keys(unsupported))})
}

func namesOf(rows []command) []string {
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.name
	}
	slices.Sort(names)
	return names
}
