package command

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// create {create: <collection>, idIndex, changeStreamPreAndPostImages: {enabled}, collation, ...} creates a collection. One that exists
// already with the same options is no error. Not supported yet, unless given with the value that changes nothing: capped, size,
// max, validator, validationLevel, validationAction, clusteredIndex, timeseries, expireAfterSeconds, viewOn,
// pipeline, storageEngine, indexOptionDefaults, encryptedFields, recordPreImages.
func create(op *operation) error {
	args := createArgs{with: newCollection{options: bsonraw.Empty, idIndex: idIndexSpec}}
	if err := op.arguments(args.parse); err != nil {
		return err
	}
	if args.sized && !args.capped {
		return mongoerr.New(mongoerr.InvalidOptions, "the 'capped' field needs to be true when either the 'size' or 'max' fields are present")
	}
	if args.images {
		if err := checkImages(op.db); err != nil {
			return err
		}
		args.with.options = withImages(args.with.options, true)
	}
	args.with.options = withCollation(args.with.options, args.collation)
	c, commit, err := createCollection(op, op.db, args.coll, args.with)
	if err != nil {
		return err
	}
	if !bytes.Equal(c.Options, args.with.options) || !bytes.Equal(c.Indexes[0].Spec, args.with.idIndex) {
		return mongoerr.New(mongoerr.NamespaceExists, "namespace %s already exists, but with different options: %s", c.NS(), c.Options.Shell())
	}
	if args.note != "" {
		op.out = bsonraw.AppendString(op.out, "note", args.note)
	}
	return op.acknowledge(commit)
}

type createArgs struct {
	coll          string
	with          newCollection
	capped, sized bool
	images        bool
	collation     *collation.Collation
	note          string
}

func (c *createArgs) parse(name string, a argument) (err error) {
	switch name {
	case "create":
		return a.collection(&c.coll)
	case "idIndex":
		var spec bsonraw.Doc
		if err := a.doc(&spec); err != nil {
			return err
		}
		c.with.idIndex, err = parseIDIndex(spec)
		return err
	case "autoIndexId":
		return c.autoIndexID(a)
	case "capped":
		if err := a.flag(&c.capped); err != nil || !c.capped {
			return err
		}
		return a.unsupported()
	case "size", "max":
		c.sized = true
		var n int64
		return a.integer(&n)
	case "flags":
		var n int64
		return a.integer(&n)
	case "temp":
		return mongoerr.New(mongoerr.InvalidOptions, "the 'temp' field is an invalid option")
	case "collation":
		return a.creationCollation(&c.collation)
	case imagesOption:
		return a.images(&c.images)
	}
	return a.collectionOption()
}

func (c *createArgs) autoIndexID(a argument) error {
	var on bool
	if err := a.flag(&on); err != nil {
		return err
	}
	if !on {
		return mongoerr.New(50001, "autoIndexId:false is not allowed for collection %s.%s because it can be replicated", a.op.db, c.coll)
	}
	c.note = "The autoIndexId option is deprecated and will be removed in a future release"
	return nil
}

// collectionOption accepts the options that change nothing and names those that would.
func (a argument) collectionOption() error {
	switch a.name {
	case "validator", "storageEngine", "indexOptionDefaults":
		return a.unsupportedUnlessEmpty()
	case "recordPreImages":
		return a.unsupportedUnlessFalse()
	case "clusteredIndex":
		if a.Type == bsonraw.TypeBool && !a.Bool() {
			return nil
		}
		return a.unsupported()
	case "pipeline":
		if a.op.body.Lookup("viewOn").IsMissing() {
			return mongoerr.New(mongoerr.InvalidOptions, "'pipeline' requires 'viewOn' to also be specified")
		}
		return a.unsupported()
	case "expireAfterSeconds":
		return mongoerr.New(mongoerr.InvalidOptions,
			"'expireAfterSeconds' is only supported on time-series collections or when the 'clusteredIndex' option is specified")
	case "validationLevel", "validationAction", "timeseries", "viewOn", "encryptedFields":
		return a.unsupported()
	}
	return a.unknown()
}
