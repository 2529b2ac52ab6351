package command

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// collMod {collMod: <collection>, changeStreamPreAndPostImages: {enabled}, validator, validationLevel, validationAction, cappedSize,
// cappedMax} changes options of a collection; what a capped one has too much goes with the next insert. It is logged, and shown by
// change streams, whether it changes anything or not. index hides an index, says when its documents expire or makes it unique, which
// dryRun only tries. Not supported: recordPreImages. The other arguments that MongoDB has are for kinds of collections that this server does
// not create.
func collMod(op *operation) error {
	name := op.body.Lookup("collMod").Str()
	of := measurementsOf(op, name)
	if of == nil && op.server.store.Catalog().ViewDefinition(op.db, name) != nil {
		return modifyView(op)
	}
	var m collectionChange
	if err := op.arguments(apart(m.parse, new(collectionChange).parse)); err != nil {
		return err
	}
	if of != nil {
		m.coll = of.Name
	}
	commit, err := m.run(op)
	if err != nil {
		return err
	}
	return op.acknowledge(commit)
}

// collectionChange is what a collMod asks for.
type collectionChange struct {
	coll       string
	images     *bool
	validation validationChange
	index      indexChange
	cappedSize *int64 // nil: not given
	cappedMax  *int64
	expire     *argument // of a clustered collection: a number, or "off"
	seconds    int64     // that it means
	dryRun     bool
	misplaced  []string // arguments that are for views or time-series collections, or not for these
	series     seriesOptions
}

func (m *collectionChange) parse(name string, a argument) error {
	switch name {
	case "collMod":
		return a.collection(&m.coll)
	case "collectionUUID":
		return parseCollectionUUID(a)
	case imagesOption:
		m.images = new(bool)
		return a.images(m.images)
	case "index":
		return m.index.parse(a)
	case "recordPreImages":
		if measurementsOf(a.op, m.coll) == nil {
			return a.unsupported()
		}
		m.misplaced = append(m.misplaced, name)
		return a.flag(new(bool))
	case "viewOn":
		m.misplaced = append(m.misplaced, name)
		return a.str(new(string))
	case "pipeline":
		m.misplaced = append(m.misplaced, name)
		return a.array(new(bsonraw.Doc))
	case "timeseries":
		m.misplaced = append(m.misplaced, name)
		return m.series.parse(a, false)
	case "expireAfterSeconds":
		m.expire = &a
		return parseClusteredExpiry(a)
	case "cappedSize":
		m.cappedSize = new(int64)
		return parseCappedSize(a, m.cappedSize)
	case "cappedMax":
		m.cappedMax = new(int64)
		return parseCappedMax(a, m.cappedMax)
	case "dryRun":
		return a.flag(&m.dryRun)
	}
	if ok, err := m.validation.parse(name, a); ok {
		return err
	}
	return a.unknown()
}

// parseClusteredExpiry checks the type of the argument that says when documents expire: a number, or a text that switches it off.
func parseClusteredExpiry(a argument) error {
	if a.Type != bsonraw.TypeString && !a.Type.IsNumber() {
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected types '[string, long']",
			a.op.cmd.name, a.name, a.Type.Name())
	}
	return nil
}

// check refuses what the collection cannot become, in mongod's order.
func (m *collectionChange) check(op *operation, c *store.Collection) error {
	if c.Series != nil {
		if err := m.checkSeries(); err != nil {
			return err
		}
	}
	switch {
	case m.images != nil && *m.images && checkImages(op.db) != nil:
		return checkImages(op.db)
	case m.dryRun && !m.index.given:
		return mongoerr.New(mongoerr.InvalidOptions, "dry run mode requires an valid index modification.")
	case m.dryRun && (m.index.unique == nil || !*m.index.unique):
		return mongoerr.New(mongoerr.InvalidOptions, "dry run mode requires an index modification with unique: true.")
	case (m.cappedSize != nil || m.cappedMax != nil) && c.Cap == nil:
		return mongoerr.New(mongoerr.InvalidOptions, "Collection must be capped.")
	case m.index.given:
		return m.index.check(op, c)
	}
	if err := m.validation.check(c.DB, c.Name, c.Options); err != nil {
		return mongoerr.From(err).Prefix("Parsing of collection validator failed :: caused by :: ")
	}
	return m.checkKind(c)
}

// checkKind refuses what is for other kinds of collections.
func (m *collectionChange) checkKind(c *store.Collection) error {
	switch {
	case slices.Contains(m.misplaced, "pipeline"):
		return mongoerr.New(mongoerr.InvalidOptions, "option only supported on a view: pipeline")
	case slices.Contains(m.misplaced, "viewOn"):
		return mongoerr.New(mongoerr.InvalidOptions, "option only supported on a view: viewOn")
	case m.expire != nil && !c.Indexes[0].Clustered:
		return mongoerr.New(mongoerr.InvalidOptions, "'expireAfterSeconds' option is only supported on collections clustered by _id")
	case m.expire != nil:
		return m.checkExpire()
	case slices.Contains(m.misplaced, "timeseries") && c.Series == nil:
		return mongoerr.New(mongoerr.InvalidOptions, "option only supported on a time-series collection: timeseries")
	}
	return nil
}

// run changes the collection and logs what it was before.
func (m *collectionChange) run(op *operation) (store.Commit, error) {
	c, unlock, err := lockedAlone(op, m.coll)
	if err != nil {
		return store.Commit{}, err
	}
	defer unlock()
	if c == nil {
		return store.Commit{}, mongoerr.New(mongoerr.NamespaceNotFound, "ns does not exist")
	}
	if err := m.check(op, c); err != nil {
		return store.Commit{}, err
	}
	if m.dryRun {
		return store.Commit{}, nil
	}
	o, at := bsonraw.BeginDoc(nil)
	o = bsonraw.AppendString(o, "collMod", c.Name)
	o2, outer := bsonraw.BeginDoc(nil)
	o2, old := bsonraw.BeginElem(o2, bsonraw.TypeDocument, "collectionOptions_old")
	o2 = bsonraw.AppendBinary(o2, "uuid", bsonraw.SubtypeUUID, c.UUID[:])
	o2 = append(o2, elements(c.Options)...)
	o2 = bsonraw.EndDoc(o2, old)
	ch := op.server.store.Change()
	next := *c
	if m.index.given {
		if o, o2, err = m.index.apply(op, ch, &next, o, o2); err != nil {
			ch.Discard()
			return store.Commit{}, err
		}
	}
	o = m.changeCap(o, &next)
	if m.validation.given() {
		o = m.validation.append(o)
		next.SetOptions(m.validation.changed(next.Options))
	}
	if m.images != nil {
		o = appendImages(o, *m.images)
		next.SetOptions(withImages(next.Options, *m.images))
	}
	o = m.changeExpiry(o, &next)
	if c.Series != nil && slices.Contains(m.misplaced, "timeseries") {
		if o, err = m.changeSeries(op, ch, &next, o); err != nil {
			ch.Discard()
			return store.Commit{}, err
		}
	}
	logCommand(ch, c, bsonraw.EndDoc(o, at), bsonraw.EndDoc(o2, outer))
	if err := ch.Put(&next); err != nil {
		ch.Discard()
		return store.Commit{}, err
	}
	return ch.Commit()
}

// changeCap changes the bounds of a capped collection and appends what it was asked for.
func (m *collectionChange) changeCap(o []byte, next *store.Collection) []byte {
	options := next.Options
	if m.cappedSize != nil {
		o = bsonraw.AppendInt64(o, "cappedSize", *m.cappedSize)
		options = withOption(options, "size", numberValue(roundedSize(*m.cappedSize)))
	}
	if m.cappedMax != nil {
		o = bsonraw.AppendInt64(o, "cappedMax", *m.cappedMax)
		options = withOption(options, "max", numberValue(knownMax(*m.cappedMax)))
	}
	next.SetOptions(options)
	return o
}

// checkExpire checks when the documents of a clustered collection are to expire.
func (m *collectionChange) checkExpire() error {
	switch {
	case m.expire.Type.IsNumber():
		if err := parseSeconds(*m.expire, &m.seconds); err != nil {
			return err
		}
		return checkExpiry(m.seconds)
	case m.expire.Str() != "off":
		return mongoerr.New(mongoerr.InvalidOptions, "Invalid string value for the 'clusteredIndex::expireAfterSeconds' option. Got: '%s'. Accepted value is 'off'", m.expire.Str())
	}
	return nil
}

// changeExpiry changes when the documents of a clustered collection expire, and appends what was asked for.
func (m *collectionChange) changeExpiry(o []byte, next *store.Collection) []byte {
	if m.expire == nil {
		return o
	}
	v := m.expire.Value
	option := bsonraw.Value{} // off: none
	if v.Type.IsNumber() {
		v = bsonraw.Int64Value(m.seconds)
		option = v
	}
	next.SetOptions(withOption(next.Options, "expireAfterSeconds", option))
	return bsonraw.AppendValue(o, "expireAfterSeconds", v)
}
