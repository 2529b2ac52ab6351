package command

import (
	"bytes"
	"strings"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/store"
)

// createView {create: <view>, viewOn: <collection or view>, pipeline, collation} creates a view. Options of collections that
// MongoDB takes and does not keep with views are taken here too.
func createView(op *operation) error {
	if op.transaction != nil {
		return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Cannot create a view in a multi-document transaction.")
	}
	args := viewArgs{view: store.ViewDefinition{DB: op.db, Pipeline: bsonraw.Empty}}
	if err := op.arguments(apart(args.parse, new(viewArgs).parse)); err != nil {
		return err
	}
	if err := args.check(); err != nil {
		return err
	}
	commit, err := args.create(op)
	if err != nil {
		return err
	}
	if args.noted {
		op.out = bsonraw.AppendString(op.out, "note", "The autoIndexId option is deprecated and will be removed in a future release")
	}
	return op.acknowledge(commit)
}

// viewArgs are the arguments of a create or collMod that is about a view.
type viewArgs struct {
	view    store.ViewDefinition
	changes bool  // a collMod names viewOn or pipeline
	refused error // of an option that views do not have

	collation              bsonraw.Doc // as given
	capped, sized, limited bool
	noted                  bool // autoIndexId is given
}

func (v *viewArgs) parse(name string, a argument) error {
	switch name {
	case "create":
		return a.collection(&v.view.Name)
	case "viewOn":
		return v.parseOn(a)
	case "pipeline":
		return v.parsePipeline(a)
	case "collation":
		return a.doc(&v.collation)
	case "capped":
		return a.flag(&v.capped)
	case "size":
		v.sized = true
		return a.integer(new(int64))
	case "max":
		v.limited = true
		return a.integer(new(int64))
	case "idIndex":
		return v.refuse(mongoerr.New(mongoerr.InvalidOptions, "'idIndex' is not allowed with 'viewOn': %s", a.Shell()))
	case "clusteredIndex":
		return v.refuse(mongoerr.New(6026500, "The 'clusteredIndex' option is not supported with views"))
	case "expireAfterSeconds":
		return v.refuse(mongoerr.New(mongoerr.InvalidOptions,
			"'expireAfterSeconds' is only supported on time-series collections or when the 'clusteredIndex' option is specified"))
	case imagesOption:
		var on bool
		if err := a.images(&on); err != nil || !on {
			return err
		}
		return v.refuse(mongoerr.New(mongoerr.InvalidOptions, "option not supported on a view: %s", name))
	case "autoIndexId":
		v.noted = true
		return nil
	case "flags", "validator", "validationLevel", "validationAction", "storageEngine", "indexOptionDefaults", "recordPreImages":
		return nil
	case "temp":
		return mongoerr.New(mongoerr.InvalidOptions, "the 'temp' field is an invalid option")
	case "encryptedFields":
		return a.unsupported()
	}
	return a.unknown()
}

func (v *viewArgs) parseOn(a argument) error {
	v.changes = true
	if err := a.str(&v.view.On); err != nil {
		return err
	}
	if v.view.On == "" {
		return mongoerr.New(mongoerr.BadValue, "'viewOn' cannot be empty")
	}
	return nil
}

func (v *viewArgs) parsePipeline(a argument) error {
	v.changes = true
	if err := a.array(&v.view.Pipeline); err != nil {
		return err
	}
	v.view.Pipeline = v.view.Pipeline.Clone() // it outlives the request
	return a.documents()
}

// refuse keeps the first error, which comes after those of the arguments' types.
func (v *viewArgs) refuse(err error) error {
	if v.refused == nil {
		v.refused = err
	}
	return nil
}

func (v *viewArgs) check() error {
	switch {
	case !v.capped && (v.sized || v.limited):
		return mongoerr.New(mongoerr.InvalidOptions, "the 'capped' field needs to be true when either the 'size' or 'max' fields are present")
	case v.capped && !v.sized:
		return mongoerr.New(mongoerr.InvalidOptions, "the 'size' field is required when 'capped' is true")
	case v.refused != nil || v.collation == nil:
		return v.refused
	}
	by, err := collation.Parse(v.collation, "create.collation")
	if err == nil && by != nil {
		v.view.Collation = by.Doc()
	}
	return err
}

// create puts the view into the catalog. One that is there already as it is asked for is no error.
func (v *viewArgs) create(op *operation) (store.Commit, error) {
	view := v.view
	if err := checkNewCollection(view.DB, view.Name); err != nil {
		return store.Commit{}, err
	}
	ch := op.server.store.Change()
	catalog := op.server.store.Catalog()
	if there := catalog.ViewDefinition(view.DB, view.Name); there != nil && bytes.Equal(there.Options(), view.Options()) {
		ch.Discard()
		return store.Commit{}, nil
	}
	err := checkFree(catalog, view.DB, view.Name)
	if err == nil {
		err = putView(op, ch, &view)
	}
	if err != nil {
		ch.Discard()
		return store.Commit{}, err
	}
	return ch.Commit()
}

// checkFree refuses a name that a collection or view has already.
func checkFree(catalog *store.Catalog, db, name string) error {
	switch {
	case catalog.Collection(db, name) != nil:
		return mongoerr.New(mongoerr.NamespaceExists, "Cannot create collection %s.%s - collection already exists.", db, name)
	case catalog.Measurements(db, name) != nil:
		return mongoerr.New(mongoerr.NamespaceExists, "A timeseries collection already exists. NS: %s.%s", db, name)
	case catalog.ViewDefinition(db, name) != nil:
		return mongoerr.New(mongoerr.NamespaceExists, "A view already exists. NS: %s.%s", db, name)
	}
	return nil
}

// putView adds a view to a change, or a new version of one, with the collection that holds it where there is none yet.
func putView(op *operation, ch *store.Change, view *store.ViewDefinition) error {
	st := op.server.store
	if err := checkView(st.Catalog(), view); err != nil {
		return err
	}
	views := st.Catalog().Collection(view.DB, store.ViewsCollection)
	if views == nil {
		var err error
		if views, err = addCollection(st, ch, view.DB, store.ViewsCollection, newCollection{idIndex: idIndexSpec}); err != nil {
			return err
		}
		if err := ch.Put(views); err != nil {
			return err
		}
	}
	return ch.PutViewDefinition(views, view)
}

// checkView refuses definitions that can never be read.
func checkView(catalog *store.Catalog, view *store.ViewDefinition) error {
	if strings.ContainsAny(view.On, "$\x00") || view.On[0] == '.' {
		return mongoerr.New(mongoerr.InvalidNamespace, "invalid name for 'viewOn': %s", view.On)
	}
	if !view.IsSeries() {
		if err := checkViewPipeline(view); err != nil {
			return err
		}
	}
	return checkViewGraph(catalog, view)
}

func checkViewPipeline(view *store.ViewDefinition) error {
	location := 0
	for it := view.Pipeline.Iter(); it.Next(); location++ {
		stage := it.Value().Doc().Iter()
		if !stage.Next() {
			break // the compiler tells
		}
		switch name := string(stage.Key()); name {
		case "$out", "$merge":
			return mongoerr.New(mongoerr.OptionNotSupportedOnView, "The aggregation stage %s in location %d of the pipeline cannot be used in the "+
				"view definition of %s because it writes to disk", name, location, view.NS())
		case "$changeStream":
			return mongoerr.New(mongoerr.OptionNotSupportedOnView, "$changeStream cannot be used in a view definition")
		case "$documents":
			return mongoerr.New(mongoerr.InvalidNamespace, "'$documents' cannot be used in a view definition")
		}
	}
	by, err := viewCollation(view)
	if err != nil {
		return err
	}
	scope := expression.NewScope(time.Now(), 1).WithCollation(by)
	if err := aggregation.Check(view.Pipeline, aggregation.Options{Scope: scope}); err != nil {
		return mongoerr.From(err).Prefix("Invalid pipeline for view " + view.NS() + " :: caused by :: ")
	}
	return nil
}

func viewCollation(view *store.ViewDefinition) (*collation.Collation, error) {
	if view.Collation == nil {
		return nil, nil
	}
	return collation.Parse(view.Collation, "collation")
}
