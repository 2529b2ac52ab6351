package command

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// create {create: <collection>, capped, size, max, clusteredIndex, idIndex, changeStreamPreAndPostImages: {enabled}, collation, validator,
// validationLevel, validationAction, ...} creates a collection, or with viewOn a view. One that exists already with the same options
// is no error. What storageEngine and indexOptionDefaults say of MongoDB's own storage engine is kept and shown, and has no effect.
// With timeseries it creates a time-series collection: see createSeries. Not supported, unless given with the value that changes
// nothing: recordPreImages, encryptedFields.
func create(op *operation) error {
	switch {
	case given(op, "timeseries"):
		return createSeries(op)
	case given(op, "viewOn"):
		return createView(op)
	}
	args := createArgs{op: op, options: bsonraw.Empty}
	if err := op.arguments(apart(args.parse, newSeriesArgs(op).parse)); err != nil {
		return err
	}
	with, err := args.check()
	if err != nil {
		return err
	}
	c, commit, err := createCollection(op, op.db, args.coll, with)
	if err != nil {
		return err
	}
	if c.Oplog || !sameOptions(c.Options, with.options) || !bytes.Equal(c.Indexes[0].Spec, with.idIndex) {
		return mongoerr.New(mongoerr.NamespaceExists, "namespace %s already exists, but with different options: %s", c.NS(), c.Options.Shell())
	}
	if args.autoIndexID != nil {
		op.out = bsonraw.AppendString(op.out, "note", "The autoIndexId option is deprecated and will be removed in a future release")
	}
	return op.acknowledge(commit)
}

// given reports whether a command has an argument, other than null.
func given(op *operation, name string) bool {
	v := op.body.Lookup(name)
	return !v.IsMissing() && !isNullish(v)
}

// createArgs are the arguments of create. The options that can be kept as they come are gathered in options.
type createArgs struct {
	op      *operation
	coll    string
	options bsonraw.Doc

	capped, temp, piped bool
	size, max           *int64 // nil: not given
	expire              *int64
	autoIndexID         *bool
	idIndex, collation  bsonraw.Doc
	validation          validationChange
	clustered           *clusteredSpec
	givenID             *indexSpec
}

func (c *createArgs) parse(name string, a argument) error {
	switch name {
	case "create":
		return formedName(a, &c.coll)
	case "capped":
		return a.flag(&c.capped)
	case "size":
		c.size = new(int64)
		return parseCappedSize(a, c.size)
	case "max":
		c.max = new(int64)
		return parseCappedMax(a, c.max)
	case "idIndex":
		return a.doc(&c.idIndex)
	case "autoIndexId":
		c.autoIndexID = new(bool)
		return a.flag(c.autoIndexID)
	case "flags":
		return a.integer(new(int64))
	case "temp":
		c.temp = true
		return a.flag(new(bool))
	case "collation":
		return a.doc(&c.collation)
	case "clusteredIndex":
		return c.parseClustered(a)
	case "expireAfterSeconds":
		c.expire = new(int64)
		return parseSeconds(a, c.expire)
	case "storageEngine", "indexOptionDefaults":
		return c.keep(a)
	case "timeseries": // null, else it would be another command
		return nil
	case imagesOption:
		var on bool
		if err := a.images(&on); err != nil || !on {
			return err
		}
		c.options = withImages(c.options, true)
		return nil
	}
	if ok, err := c.validation.parse(name, a); ok {
		return err
	}
	return c.parseUnsupported(name, a)
}

// keep takes over an option that is a document.
func (c *createArgs) keep(a argument) error {
	var d bsonraw.Doc
	if err := a.doc(&d); err != nil {
		return err
	}
	if a.name != "storageEngine" || !d.IsEmpty() {
		c.options = withOption(c.options, a.name, a.Value)
	}
	return nil
}

// parseUnsupported takes the options that change nothing and names those that would.
func (c *createArgs) parseUnsupported(name string, a argument) error {
	switch name {
	case "recordPreImages":
		return a.unsupportedUnlessFalse()
	case "pipeline":
		c.piped = true
		return a.array(new(bsonraw.Doc))
	case "encryptedFields":
		return a.unsupported()
	}
	return a.unknown()
}

// check makes what the collection is created with, or refuses what does not go together, in mongod's order.
func (c *createArgs) check() (newCollection, error) {
	with := newCollection{idIndex: idIndexSpec}
	for _, step := range []func(*newCollection) error{
		c.checkCapped, c.checkMisplaced, c.checkIDIndex, c.checkName, c.checkClustered, c.checkCollation, c.checkValidator, c.checkStorage, c.checkAutoIndexID,
	} {
		if err := step(&with); err != nil {
			return with, err
		}
	}
	with.options = c.options
	return with, nil
}

func (c *createArgs) checkCapped(*newCollection) error {
	switch {
	case c.clustered != nil && (c.capped || c.size != nil || c.max != nil):
		return c.cappedAndClustered()
	case !c.capped && (c.size != nil || c.max != nil):
		return mongoerr.New(mongoerr.InvalidOptions, "the 'capped' field needs to be true when either the 'size' or 'max' fields are present")
	case !c.capped:
		return nil
	case c.size == nil:
		return mongoerr.New(mongoerr.InvalidOptions, "the 'size' field is required when 'capped' is true")
	}
	c.options = withOption(c.options, "capped", bsonraw.BoolValue(true))
	c.options = withOption(c.options, "size", numberValue(roundedSize(*c.size)))
	if c.max != nil {
		c.options = withOption(c.options, "max", numberValue(knownMax(*c.max)))
	}
	return nil
}

// checkMisplaced refuses options that have no place in this collection.
func (c *createArgs) checkMisplaced(*newCollection) error {
	switch {
	case c.temp:
		return mongoerr.New(mongoerr.InvalidOptions, "the 'temp' field is an invalid option")
	case c.piped:
		return mongoerr.New(mongoerr.InvalidOptions, "'pipeline' requires 'viewOn' to also be specified")
	case c.expire != nil && c.clustered == nil:
		return mongoerr.New(mongoerr.InvalidOptions,
			"'expireAfterSeconds' is only supported on time-series collections or when the 'clusteredIndex' option is specified")
	}
	return nil
}

func (c *createArgs) checkIDIndex(with *newCollection) (err error) {
	switch {
	case c.idIndex == nil:
		return nil
	case c.autoIndexID != nil:
		return mongoerr.New(mongoerr.InvalidOptions, "'idIndex' is not allowed with 'autoIndexId': %s", c.idIndex.Shell())
	case c.clustered != nil:
		return mongoerr.New(mongoerr.InvalidOptions, "The 'clusteredIndex' option is not supported with the 'idIndex' option")
	}
	c.givenID, err = parseIDIndex(c.idIndex)
	return err
}

func (c *createArgs) checkName(*newCollection) error {
	if c.options.Lookup(imagesOption).IsMissing() {
		return checkNewCollection(c.op.db, c.coll)
	}
	if err := checkNewCollection(c.op.db, c.coll); err != nil {
		return err
	}
	return checkImages(c.op.db)
}

// checkCollation reads the collation, which is that of the index on _id too.
func (c *createArgs) checkCollation(with *newCollection) (err error) {
	var by *collation.Collation
	if c.collation != nil {
		if by, err = collation.Parse(c.collation, "create.collation"); err != nil {
			return err
		}
		c.options = withCollation(c.options, by)
	}
	if c.givenID != nil {
		if err := c.givenID.resolve(c.options); err != nil {
			return mongoerr.New(mongoerr.BadValue, "'idIndex' must have the same collation as the collection.")
		}
		with.idIndex = makeIDIndexSpec(c.givenID.version)
	}
	if by != nil {
		spec, at := bsonraw.BeginDoc(nil)
		spec = append(spec, elements(with.idIndex)...)
		with.idIndex = bsonraw.EndDoc(bsonraw.AppendDoc(spec, "collation", by.Doc()), at)
	}
	return nil
}

func (c *createArgs) checkValidator(*newCollection) error {
	c.options = c.validation.created(c.options)
	return c.validation.check(c.op.db, c.coll, c.options)
}

// checkStorage checks the options that are for storage engines. Each has a name, and only that of MongoDB's is known.
func (c *createArgs) checkStorage(*newCollection) error {
	if err := checkEngines(c.options.Lookup("storageEngine")); err != nil {
		return err
	}
	defaults := c.options.Lookup("indexOptionDefaults")
	if defaults.IsMissing() {
		return nil
	}
	for it := defaults.Doc().Iter(); it.Next(); {
		a := argument{c.op, "indexOptionDefaults." + string(it.Key()), it.Value()}
		if string(it.Key()) != "storageEngine" {
			return a.unknown()
		}
		if err := a.doc(new(bsonraw.Doc)); err != nil {
			return err
		}
		if err := checkEngines(it.Value()); err != nil {
			return err
		}
	}
	if defaults.Doc().IsEmpty() {
		c.options = withOption(c.options, "indexOptionDefaults", bsonraw.Value{})
	}
	return nil
}

func checkEngines(v bsonraw.Value) error {
	if v.IsMissing() {
		return nil
	}
	for it := v.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			return mongoerr.New(mongoerr.BadValue, "'storageEngine.%s' has to be an embedded document.", it.Key())
		}
		if string(it.Key()) != "wiredTiger" {
			return mongoerr.New(mongoerr.InvalidOptions, "%s is not a registered storage engine for this server", it.Key())
		}
	}
	return nil
}

func (c *createArgs) checkAutoIndexID(*newCollection) error {
	if c.autoIndexID == nil {
		return nil
	}
	if !*c.autoIndexID {
		return mongoerr.New(50001, "autoIndexId:false is not allowed for collection %s.%s because it can be replicated", c.op.db, c.coll)
	}
	c.options = withOption(c.options, "autoIndexId", bsonraw.BoolValue(true))
	return nil
}
