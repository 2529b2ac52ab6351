package store

import "github.com/sluicestream/sluice/internal/bsonraw"

// Indexed is a document on its way into a collection, with the entries that the indexes get of it: what is latched, what is looked
// at for duplicates and what is written are the same keys, made once.
type Indexed struct {
	bsonraw.Doc
	entries []indexKeys // by index; nil if all is nothing
	refused error       // by the index behind the last of the entries; nil if each has some
}

// Indexed makes the entries of a document, which may be nil. The indexes are asked one after the other, as in MongoDB: an index that
// cannot hold the document is told of by CheckUnique, unless it is a duplicate in an earlier one.
func (c *Collection) Indexed(doc bsonraw.Doc) Indexed {
	d := Indexed{Doc: doc}
	switch {
	case doc == nil:
		return d
	case c.Indexes[0].collated() && hasSymbol(doc.Lookup("_id")):
		d.refused = c.Indexes[0].errSymbol()
		return d
	case len(c.Indexes) < 2:
		return d
	}
	d.entries = make([]indexKeys, 0, len(c.Indexes))
	for _, x := range c.Indexes {
		var keys indexKeys
		if !x.IsID() {
			if keys, d.refused = x.keysOf(doc); d.refused != nil {
				return d
			}
		}
		d.entries = append(d.entries, keys)
	}
	return d
}

// of returns the entries in the index at a position.
func (d Indexed) of(i int) indexKeys {
	if d.entries == nil {
		return indexKeys{}
	}
	return d.entries[i]
}

// KeyBytes is how much memory the entries take.
func (d Indexed) KeyBytes() (n int) {
	for _, e := range d.entries {
		for _, k := range e.keys {
			n += len(k)
		}
	}
	return n
}

// eachGuarded calls visit with the entries that no other document may have, in the order of the indexes, and returns the first error:
// visit's, or that of the index that refuses the document.
func (d Indexed) eachGuarded(c *Collection, visit func(x *Index, values []byte) error) error {
	for i, e := range d.entries {
		if !c.Indexes[i].Guarded() {
			continue
		}
		for _, k := range e.keys {
			if err := visit(c.Indexes[i], k); err != nil {
				return err
			}
		}
	}
	return d.refused
}
