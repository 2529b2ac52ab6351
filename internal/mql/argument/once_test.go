package argument_test

import (
	"fmt"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// TestOnceFindsWhatIsThereTwice reads documents with more fields than a set of names can tell apart, with and without a field twice.
func TestOnceFindsWhatIsThereTwice(t *testing.T) {
	t.Parallel()
	for _, fields := range []int{1, 2, 3, 10, 64, 65, 300} {
		for again := range fields + 1 { // the field that comes again at the end; none in the last round
			d, at := bsonraw.BeginDoc(nil)
			for i := range fields {
				d = bsonraw.AppendInt32(d, fmt.Sprint("f", i), 1)
			}
			if again < fields {
				d = bsonraw.AppendInt32(d, fmt.Sprint("f", again), 1)
			}
			doc := bsonraw.Doc(bsonraw.EndDoc(d, at))
			once := argument.NewOnce("x", doc)
			read := 0
			var err error
			for it := doc.Iter(); err == nil && it.Next(); {
				err = once.Check(it.Key())
				read++
			}
			switch {
			case again == fields && err != nil:
				t.Errorf("%d fields: %v", fields, err)
			case again < fields && (!mongoerr.Is(err, mongoerr.IDLDuplicateField) || read != fields+1):
				t.Errorf("%d fields, field %d again: %v after %d", fields, again, err, read)
			}
		}
	}
}
