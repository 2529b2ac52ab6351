package aggregation

import (
	"context"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// Namespace names a collection or a view.
type Namespace struct{ DB, Coll string }

// String returns "db.collection".
func (ns Namespace) String() string { return ns.DB + "." + ns.Coll }

// Environment is what lies around a pipeline: the collections that its stages read and write besides the one whose documents they
// are given. It belongs to one use of the pipeline.
type Environment interface {
	// Beneath returns what a name stands for.
	Beneath(ns Namespace) (Beneath, error)
	// HasIndex reports whether an index of a collection begins with a field and orders it as a collation does.
	HasIndex(ns Namespace, field string, by *collation.Collation) bool
	// IsUnique reports whether an index makes sure that no two documents of a collection have the same values in fields.
	IsUnique(ns Namespace, fields []string, by *collation.Collation) bool
	// Read returns what a pipeline makes of the documents of a collection, which need not exist. What the pipeline begins with
	// is for the environment to make use of.
	Read(ns Namespace, p *Pipeline) (Reader, error)
	// Statistics returns the documents of the stages that tell about a collection.
	Statistics(ns Namespace, of *Statistics) ([]bsonraw.Doc, error)
	// Activity returns the documents of the stages that tell what the server is doing.
	Activity(of *Activity) []bsonraw.Doc
	// Replace makes the documents of src the whole content of a collection, all of them or, after an error, none.
	Replace(ctx context.Context, ns Namespace, src Source) error
	// Merge writes the documents of src into a collection.
	Merge(ctx context.Context, m *Merge, src Source) error
}

// Reader is a source that holds something until it is closed.
type Reader interface {
	Source
	Close() error
}

// Beneath is what a name stands for.
type Beneath struct {
	Namespace Namespace            // of the collection that is read
	View      bool                 // the name is a view's, upon the collection
	Pipeline  bsonraw.Doc          // of the view, an array
	Collation *collation.Collation // of the view
}

// beneath returns what a name of the pipeline's database stands for. Views must have the pipeline's collation.
func (c *compiler) beneath(name string) (Beneath, error) {
	ns := Namespace{c.opts.DB, name}
	if c.opts.Environment == nil {
		return Beneath{Namespace: ns}, nil // the pipeline is only looked at
	}
	b, err := c.opts.Environment.Beneath(ns)
	if err == nil && b.View && !b.Collation.Same(c.scope.Collation()) {
		err = mongoerr.New(mongoerr.OptionNotSupportedOnView, "Cannot override a view's default collation: %s", ns)
	}
	return b, err
}
