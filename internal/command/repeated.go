package command

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// nameSet is a set of arguments' names that takes no memory and is wrong at times: it may say that it has a name when it has another one.
type nameSet uint64

// add adds a name and reports whether the set may have had it.
func (s *nameSet) add(name []byte) (had bool) {
	hash := 0
	if n := len(name); n > 0 {
		hash = 11*n + 12*int(name[0]) + 14*int(name[n-1]) // the names that drivers send along with each other differ in it
	}
	bit := nameSet(1) << (hash & 63)
	had = *s&bit != 0
	*s |= bit
	return had
}

// refuseRepeated refuses a command that gives an argument twice, whether the command knows it or not.
func refuseRepeated(command string, body bsonraw.Doc) error {
	var few [32][]byte // as many as nearly every command has
	names := few[:0]
	for it := body.Iter(); it.Next(); {
		names = append(names, it.Key())
	}
	slices.SortFunc(names, bytes.Compare)
	for i := 1; i < len(names); i++ {
		if bytes.Equal(names[i-1], names[i]) {
			return mongoerr.New(mongoerr.IDLDuplicateField, "BSON field '%s.%s' is a duplicate field", command, names[i])
		}
	}
	return nil
}
