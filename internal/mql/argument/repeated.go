package argument

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// Names is a set of arguments' names that takes no memory and is wrong at times: it may say that it has a name when it has another one.
type Names uint64

// Add adds a name and reports whether the set may have had it.
func (s *Names) Add(name []byte) (had bool) {
	hash := 0
	if n := len(name); n > 0 {
		hash = 11*n + 12*int(name[0]) + 14*int(name[n-1]) // the names that drivers send along with each other differ in it
	}
	bit := Names(1) << (hash & 63)
	had = *s&bit != 0
	*s |= bit
	return had
}

// RefuseRepeated refuses a document that gives an argument twice, whether anybody knows it or not. field is what messages call the document.
func RefuseRepeated(field string, d bsonraw.Doc) error {
	var names Names
	for it := d.Iter(); it.Next(); {
		if names.Add(it.Key()) {
			return findRepeated(field, d)
		}
	}
	return nil
}

// findRepeated is RefuseRepeated for what gives an argument twice by the look of it.
func findRepeated(field string, d bsonraw.Doc) error {
	var few [32][]byte // as many as nearly every command has
	names := few[:0]
	for it := d.Iter(); it.Next(); {
		names = append(names, it.Key())
	}
	slices.SortFunc(names, bytes.Compare)
	for i := 1; i < len(names); i++ {
		if bytes.Equal(names[i-1], names[i]) {
			return mongoerr.New(mongoerr.IDLDuplicateField, "BSON field '%s.%s' is a duplicate field", field, names[i])
		}
	}
	return nil
}
