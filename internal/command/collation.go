package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/store"
)

// collationArgument is what a command says about how strings compare.
type collationArgument struct {
	given bool // otherwise the collection's collation holds
	value *collation.Collation
}

// collation reads a collation. An empty document says nothing, as in MongoDB.
func (a argument) collation(to *collationArgument) error {
	var d bsonraw.Doc
	err := a.doc(&d)
	if err == nil {
		*to, err = givenCollation(d)
	}
	return err
}

// givenCollation is collation for a document whose type is known: statements read theirs when they run.
func givenCollation(d bsonraw.Doc) (collationArgument, error) {
	if len(d) == 0 || d.IsEmpty() {
		return collationArgument{}, nil
	}
	c, err := collation.Parse(d, "collation")
	return collationArgument{given: true, value: c}, err
}

// in returns the collation that holds for a command on a collection: the one that it names, or else the collection's.
func (c collationArgument) in(op *operation, coll string) (*collation.Collation, error) {
	if c.given || coll == "" {
		return c.value, nil
	}
	if at := op.view.Catalog().Collection(op.db, coll); at != nil {
		return defaultCollation(at)
	}
	return nil, nil
}

// defaultCollation returns the collation that a collection was created with.
func defaultCollation(c *store.Collection) (*collation.Collation, error) {
	return optionCollation(c.Options)
}

// optionCollation returns the collation among a collection's options, nil for the simple one.
func optionCollation(options bsonraw.Doc) (*collation.Collation, error) {
	d := options.Lookup("collation")
	if d.IsMissing() {
		return nil, nil
	}
	return collation.Parse(d.Doc(), "collation")
}

// withCollation adds a collection's collation to its options, complete, as MongoDB keeps it; the simple one is left out.
func withCollation(options bsonraw.Doc, c *collation.Collation) bsonraw.Doc {
	if c == nil {
		return options
	}
	return withOption(options, "collation", documentValue(c.Doc()))
}
