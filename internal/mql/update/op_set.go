package update

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// set is $set.
type set struct {
	creating
	value bsonraw.Value
}

func compileSet(_ *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	return &set{value: arg}, nil
}

// apply changes nothing only where type and bytes are the same: 1 and 1.0 are different values here.
func (s *set) apply(_ *applier, old bsonraw.Value) (effect, error) {
	if old.Same(s.value) {
		return effect{}, nil
	}
	return effect{kind: assign, value: s.value}, nil
}

// setOnInsert is $setOnInsert.
type setOnInsert struct{ set }

func compileSetOnInsert(_ *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	return &setOnInsert{set{value: arg}}, nil
}

func (s *setOnInsert) apply(a *applier, old bsonraw.Value) (effect, error) {
	if !a.in.Insert {
		return effect{}, nil
	}
	return s.set.apply(a, old)
}

func (s *setOnInsert) whenBlocked(a *applier) (blockedPolicy, error) {
	if !a.in.Insert {
		return ignoreBlocked, nil
	}
	return failCreating, nil
}

// unset is $unset.
type unset struct{ indulgent }

func compileUnset(*compiler, []byte, bsonraw.Value) (modifier, error) { return unset{}, nil }

func (unset) apply(_ *applier, old bsonraw.Value) (effect, error) {
	if old.IsMissing() {
		return effect{}, nil
	}
	return effect{kind: remove}, nil
}

// currentDate is $currentDate.
type currentDate struct {
	creating
	timestamp bool
}

func compileCurrentDate(_ *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	switch arg.Type {
	case bsonraw.TypeBool:
		return &currentDate{}, nil
	case bsonraw.TypeDocument:
	default:
		return nil, mongoerr.New(mongoerr.BadValue, "%s is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}).", arg.Type.Name())
	}
	kind := ""
	for it := arg.Doc().Iter(); it.Next(); {
		if string(it.Key()) != "$type" {
			return nil, mongoerr.New(mongoerr.BadValue, "Unrecognized $currentDate option: %s", it.Key())
		}
		kind = it.Value().Str()
	}
	if kind != "date" && kind != "timestamp" {
		return nil, mongoerr.New(mongoerr.BadValue, "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}")
	}
	return &currentDate{timestamp: kind == "timestamp"}, nil
}

func (c *currentDate) apply(a *applier, _ bsonraw.Value) (effect, error) {
	var v bsonraw.Value
	if c.timestamp {
		v = a.values.int64(int64(a.in.ClusterTime))
		v.Type = bsonraw.TypeTimestamp
	} else {
		v = a.values.int64(a.in.Now)
		v.Type = bsonraw.TypeDate
	}
	return effect{kind: assign, value: v}, nil
}

// extreme is $min and $max.
type extreme struct {
	creating
	value bsonraw.Value
	order int // how the new value compares with one that it replaces
	by    *collation.Collation
}

func compileMin(c *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	return &extreme{value: arg, order: -1, by: c.opts.Scope.Collation()}, nil
}

func compileMax(c *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	return &extreme{value: arg, order: 1, by: c.opts.Scope.Collation()}, nil
}

func (e *extreme) apply(_ *applier, old bsonraw.Value) (effect, error) {
	if !old.IsMissing() && e.by.Compare(e.value, old) != e.order {
		return effect{}, nil
	}
	return effect{kind: assign, value: e.value}, nil
}
