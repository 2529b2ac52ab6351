package command

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/store"
)

// indexChange is the index argument of a collMod: {name | keyPattern, hidden, expireAfterSeconds, unique, prepareUnique}.
type indexChange struct {
	given  bool
	name   string
	key    bsonraw.Doc
	hidden *bool // nil: not given, as with the others
	expire *int64
	unique *bool
	ready  *bool // prepareUnique

	index *store.Index // the one that is meant
}

func (x *indexChange) parse(a argument) error {
	var d bsonraw.Doc
	if err := a.doc(&d); err != nil {
		return err
	}
	x.given = true
	once := mqlargument.NewOnce("collMod.index", d)
	for it := d.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		if err := x.parseField(argument{a.op, "index." + string(it.Key()), it.Value()}, string(it.Key())); err != nil {
			return err
		}
	}
	return nil
}

func (x *indexChange) parseField(a argument, name string) error {
	switch name {
	case "name":
		return a.str(&x.name)
	case "keyPattern":
		return a.doc(&x.key)
	case "hidden":
		x.hidden = new(bool)
		return a.flag(x.hidden)
	case "unique":
		x.unique = new(bool)
		return a.flag(x.unique)
	case "prepareUnique":
		x.ready = new(bool)
		return a.flag(x.ready)
	case "expireAfterSeconds":
		x.expire = new(int64)
		return parseSeconds(a, x.expire)
	}
	return a.unknown()
}

// check finds the index and refuses what it cannot become.
func (x *indexChange) check(op *operation, c *store.Collection) error {
	switch {
	case x.name != "" && x.key != nil:
		return mongoerr.New(mongoerr.InvalidOptions, "Cannot specify both key pattern and name.")
	case x.name == "" && x.key == nil:
		return mongoerr.New(mongoerr.InvalidOptions, "Must specify either index name or key pattern.")
	case c.Series != nil && x.expire != nil:
		return mongoerr.New(mongoerr.InvalidOptions, "TTL indexes are not supported for time-series collections. "+
			"Please refer to the documentation and use the top-level 'expireAfterSeconds' option instead")
	case c.Series != nil && (x.unique != nil || x.ready != nil):
		return errUniqueInSeries
	case x.hidden == nil && x.expire == nil && x.unique == nil && x.ready == nil:
		return mongoerr.New(mongoerr.InvalidOptions, "no expireAfterSeconds, hidden, unique, or prepareUnique field")
	}
	if err := x.find(c); err != nil {
		return err
	}
	if x.index.Clustered {
		return x.ofClustered(c)
	}
	switch {
	case x.expire != nil && x.index.IsID():
		return mongoerr.New(mongoerr.InvalidOptions, "the _id field does not support TTL indexes")
	case x.expire != nil && len(x.index.Fields) > 1:
		return mongoerr.New(mongoerr.InvalidOptions, "TTL indexes are single-field indexes, compound indexes do not support TTL")
	case x.expire != nil && *x.expire < 0:
		return mongoerr.New(mongoerr.InvalidOptions, "TTL index 'expireAfterSeconds' option cannot be less than 0")
	case x.expire != nil && c.Cap != nil:
		return mongoerr.New(mongoerr.InvalidOptions, "TTL indexes are not supported for capped collections.")
	case x.hidden != nil && x.index.IsID():
		return mongoerr.New(mongoerr.BadValue, "can't hide _id index")
	case x.unique != nil && !*x.unique:
		return mongoerr.New(mongoerr.BadValue, "Cannot make index non-unique")
	case x.unique != nil && !x.index.Unique && !x.index.Prepared:
		return mongoerr.New(mongoerr.InvalidOptions, "Cannot make index unique with 'prepareUnique=false'. Run collMod to set it first.")
	case x.ready != nil && (x.hidden != nil || x.expire != nil || x.unique != nil):
		return mongoerr.New(mongoerr.InvalidOptions, "prepareUnique cannot be combined with any other modification.")
	case x.unique != nil && !x.index.Unique:
		return checkConvertible(op, c, x.index)
	}
	return nil
}

// maxViolations bounds what a reply tells of the documents that share entries, in bytes.
const maxViolations = 8 << 20

// checkConvertible refuses to make an index unique in which documents share entries, and names them. The caller has the collection's lock.
func checkConvertible(op *operation, c *store.Collection, x *store.Index) error {
	st := op.server.store
	list := bsonraw.BeginArray(bsonraw.AppendHeader(nil, bsonraw.TypeArray, "violations"))
	size, found := 0, false
	err := st.Shared(op.ctx, x, func(idKeys [][]byte) (bool, error) {
		found = true
		entry, at := list.Begin(bsonraw.TypeDocument)
		entry = bsonraw.AppendHeader(entry, bsonraw.TypeArray, "ids")
		ids := bsonraw.BeginArray(entry)
		for _, idKey := range idKeys {
			doc, _, ok, err := st.GetOnce(nil, c, idKey)
			if err != nil {
				return false, err
			}
			if id := doc.Lookup("_id"); ok && size+len(id.Data) <= maxViolations {
				size += len(id.Data) + 1
				ids.Append(id)
			}
		}
		list.Resume(bsonraw.EndDoc(ids.End(), at))
		return size < maxViolations, nil
	})
	if err != nil {
		return readError(op, err)
	}
	if !found {
		return nil
	}
	return mongoerr.New(mongoerr.CannotConvertIndexToUnique,
		"Cannot convert the index to unique. Please resolve conflicting documents before running collMod again.").WithExtra(list.End())
}

func (x *indexChange) find(c *store.Collection) error {
	if x.name != "" {
		if x.index = c.Index(x.name); x.index == nil {
			return mongoerr.New(mongoerr.IndexNotFound, "cannot find index %s for ns %s", x.name, c.NS())
		}
		return nil
	}
	for _, have := range c.Listed() {
		if !sameKey(have.Key, x.key) {
			continue
		}
		if x.index != nil {
			return mongoerr.New(mongoerr.AmbiguousIndexKeyPattern, "index keyPattern %s matches 2 indexes, must use index name. Conflicting indexes:%s, %s",
				x.key.Shell(), x.index.Spec.Shell(), have.Spec.Shell())
		}
		x.index = have
	}
	if x.index == nil {
		return mongoerr.New(mongoerr.IndexNotFound, "cannot find index %s for ns %s", x.key.Shell(), c.NS())
	}
	return nil
}

// apply changes the index in the next version of its collection, and appends what is logged of it: what was asked for and what
// was before. The reply tells both too.
func (x *indexChange) apply(op *operation, ch *store.Change, next *store.Collection, o, o2 []byte) (_, _ []byte, err error) {
	hides := x.hidden != nil && *x.hidden != x.index.Hidden
	prepares := x.ready != nil && *x.ready != x.index.Prepared && !x.index.Unique && !x.index.IsID()
	unites := x.unique != nil && !x.index.Unique
	if x.expire == nil && !hides && !prepares && !unites {
		return o, o2, nil
	}
	o, at := bsonraw.BeginElem(o, bsonraw.TypeDocument, "index")
	o2, before := bsonraw.BeginElem(o2, bsonraw.TypeDocument, "indexOptions_old")
	o = bsonraw.AppendString(o, "name", x.index.Name)
	spec := x.index.Spec
	if x.expire != nil {
		seconds := min(*x.expire, maxExpiry)
		if old := expiryOf(x.index); old >= 0 {
			o2 = bsonraw.AppendInt64(o2, "expireAfterSeconds", int64(old))
			op.out = bsonraw.AppendInt64(op.out, "expireAfterSeconds_old", int64(old))
		}
		o = bsonraw.AppendInt64(o, "expireAfterSeconds", seconds)
		op.out = bsonraw.AppendInt64(op.out, "expireAfterSeconds_new", seconds)
		spec = withField(spec, "expireAfterSeconds", bsonraw.Int64Value(seconds))
	}
	if hides {
		o2 = bsonraw.AppendBool(o2, "hidden", !*x.hidden)
		o = bsonraw.AppendBool(o, "hidden", *x.hidden)
		op.out = bsonraw.AppendBool(op.out, "hidden_old", !*x.hidden)
		op.out = bsonraw.AppendBool(op.out, "hidden_new", *x.hidden)
		spec = withFlag(spec, "hidden", *x.hidden)
	}
	if prepares {
		op.out = bsonraw.AppendBool(op.out, "prepareUnique_old", !*x.ready)
		op.out = bsonraw.AppendBool(op.out, "prepareUnique_new", *x.ready)
		o2 = bsonraw.AppendBool(o2, "prepareUnique", !*x.ready)
		o = bsonraw.AppendBool(o, "prepareUnique", *x.ready)
		spec = withFlag(spec, "prepareUnique", *x.ready)
	}
	if unites {
		op.out = bsonraw.AppendBool(op.out, "unique_new", true)
		o = bsonraw.AppendBool(o, "unique", true)
		spec = withFlag(withFlag(spec, "prepareUnique", false), "unique", true)
	}
	changed, err := ch.ChangeIndex(x.index, spec)
	if err != nil {
		return nil, nil, err
	}
	next.Indexes = slices.Clone(next.Indexes)
	next.Indexes[slices.Index(next.Indexes, x.index)] = changed
	return bsonraw.EndDoc(o, at), bsonraw.EndDoc(o2, before), nil
}

// withFlag returns a specification with a flag, which is not there when it is off.
func withFlag(spec bsonraw.Doc, name string, on bool) bsonraw.Doc {
	var v bsonraw.Value
	if on {
		v = bsonraw.BoolValue(true)
	}
	return withField(spec, name, v)
}

// withField returns a document in which a field has another value, at the end where there was none; a missing value takes it out.
func withField(d bsonraw.Doc, name string, v bsonraw.Value) bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	found := false
	for it := d.Iter(); it.Next(); {
		if string(it.Key()) != name {
			out = append(out, it.Elem()...)
			continue
		}
		found = true
		out = bsonraw.AppendValue(out, name, v)
	}
	if !found {
		out = bsonraw.AppendValue(out, name, v)
	}
	return bsonraw.EndDoc(out, at)
}
