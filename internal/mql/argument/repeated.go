package argument

import (
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

// Once refuses fields that a document gives twice, one after the other as they are read.
type Once struct {
	field string
	doc   bsonraw.Doc
	names Names
	count int             // of the fields that were read while names was sure
	seen  map[string]bool // from then on
}

// NewOnce returns a Once for a document; field is what messages call it.
func NewOnce(field string, d bsonraw.Doc) Once { return Once{field: field, doc: d} }

// Check refuses the document's next field, which has a key, if it was there before.
func (o *Once) Check(key []byte) error {
	if o.seen == nil {
		if !o.names.Add(key) {
			o.count++
			return nil
		}
		o.seen = map[string]bool{}
		it := o.doc.Iter()
		for range o.count {
			it.Next()
			o.seen[string(it.Key())] = true
		}
	}
	if o.seen[string(key)] {
		return mongoerr.New(mongoerr.IDLDuplicateField, "BSON field '%s.%s' is a duplicate field", o.field, key)
	}
	o.seen[string(key)] = true
	return nil
}

// RefuseRepeated refuses a document that gives a field twice, before any is read. field is what messages call the document.
func RefuseRepeated(field string, d bsonraw.Doc) error {
	once := NewOnce(field, d)
	for it := d.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
	}
	return nil
}
