package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/store"
)

// clusteredSpec is the clusteredIndex argument of create. Documents are stored in the order of _id in every collection; one that
// is clustered says so, and has no other index on _id.
type clusteredSpec struct {
	legacy  bool // clusteredIndex: true, which is for MongoDB itself
	version int64
	key     bsonraw.Doc
	name    string
	unique  bool
}

func (c *createArgs) parseClustered(a argument) error {
	if a.Type == bsonraw.TypeBool || a.Type.IsNumber() {
		if a.Truthy() {
			c.clustered = &clusteredSpec{legacy: true}
		}
		return nil
	}
	if a.Type != bsonraw.TypeDocument {
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field 'create.clusteredIndex' is the wrong type '%s', expected types '[bool']", a.Type.Name())
	}
	s := &clusteredSpec{version: 2, name: "_id_"}
	c.clustered = s
	once := mqlargument.NewOnce("create", a.Value.Doc())
	uniqueGiven := false
	for it := a.Value.Doc().Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		field := argument{a.op, string(it.Key()), it.Value()}
		var err error
		switch string(it.Key()) {
		case "v":
			err = field.integer(&s.version)
		case "key":
			err = field.doc(&s.key)
		case "name":
			err = field.str(&s.name)
		case "unique":
			uniqueGiven = true
			err = field.flag(&s.unique)
		default:
			err = field.unknown()
		}
		if err != nil {
			return err
		}
	}
	switch {
	case s.key == nil:
		return required(a.op, "key")
	case !uniqueGiven:
		return required(a.op, "unique")
	}
	return nil
}

// cappedAndClustered is the error of a collection that is to be both.
func (c *createArgs) cappedAndClustered() error {
	switch {
	case c.size != nil:
		return mongoerr.New(6049200, "'size' field for capped collections is not allowed on clustered collections. Did you mean 'capped: true' with 'expireAfterSeconds'?")
	case c.max != nil:
		return mongoerr.New(6049204, "'max' field for capped collections is not allowed on clustered collections. Did you mean 'capped: true' with 'expireAfterSeconds'?")
	case c.expire == nil:
		return mongoerr.New(6049201, "A capped clustered collection requires the 'expireAfterSeconds' field")
	}
	return mongoerr.New(mongoerr.CommandNotSupported, "create: a clustered collection that is capped is not supported by this server")
}

func (c *createArgs) checkClustered(with *newCollection) error {
	s := c.clustered
	if s == nil {
		return nil
	}
	direction, _ := s.key.Lookup("_id").AsFloat64()
	switch {
	case s.legacy:
		return mongoerr.New(5979703, "The 'clusteredIndex' legacy format {clusteredIndex: <bool>} is only supported for specific internal collections and vice versa")
	case c.autoIndexID != nil && !*c.autoIndexID:
		return mongoerr.New(6026501, "The 'clusteredIndex' option does not support {autoIndexId: false}")
	case !s.unique:
		return mongoerr.New(5979700, "The clusteredIndex option requires unique: true to be specified")
	case s.key.Len() != 1 || direction != 1:
		return mongoerr.New(mongoerr.InvalidIndexSpecificationOption, "The clusteredIndex option is only supported for key: {_id: 1}")
	case s.version != 2:
		return mongoerr.New(5979704, "Invalid clusteredIndex specification %s; cannot create a clusteredIndex with v=%d", s.doc(false).Shell(), s.version)
	case c.expire != nil:
		if err := checkExpiry(*c.expire); err != nil {
			return err
		}
		c.options = withOption(c.options, "expireAfterSeconds", bsonraw.Int64Value(*c.expire))
	}
	c.options = withOption(c.options, "clusteredIndex", documentValue(s.doc(false)))
	with.idIndex = s.doc(true)
	return nil
}

// doc is the specification: as the collection's option, or as that of its index.
func (s *clusteredSpec) doc(asIndex bool) bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	out = bsonraw.AppendInt32(out, "v", int32(s.version))
	out = bsonraw.AppendDoc(out, "key", s.key)
	out = bsonraw.AppendString(out, "name", s.name)
	out = bsonraw.AppendBool(out, "unique", true)
	if asIndex {
		out = bsonraw.AppendBool(out, "clustered", true)
	}
	return bsonraw.EndDoc(out, at)
}

// checkClustered refuses a specification that does not go with the collection's index on _id where that is clustered, or only the
// specification is.
func (s *indexSpec) checkClustered(onID *store.Index) error {
	var err *mongoerr.Error
	switch {
	case s.clustered && !(onID.Clustered && s.isID()):
		err = mongoerr.New(6243700, "Cannot create index with option 'clustered' that does not match an existing clustered index")
	case onID.Clustered && s.name == onID.Name && !s.isID():
		err = mongoerr.New(6100906, "Cannot create an index where the name matches the clusteredIndex but the key does not - indexSpec: %s, clusteredIndex: %s",
			s.versioned().Shell(), onID.Spec.Shell())
	default:
		return nil
	}
	return err.Prefix("Error in specification " + s.versioned().Shell() + " :: caused by :: ")
}

// ofClustered is the error of changing a clustered index: it cannot be hidden, and for anything else it is none.
func (x *indexChange) ofClustered(c *store.Collection) error {
	if x.hidden != nil {
		return mongoerr.New(6011800, "The 'hidden' option is not supported for a clusteredIndex")
	}
	which := x.name
	if x.key != nil {
		which = x.key.Shell()
	}
	return mongoerr.New(mongoerr.IndexNotFound, "cannot find index %s for ns %s", which, c.NS())
}
