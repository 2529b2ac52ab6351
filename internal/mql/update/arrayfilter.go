package update

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// arrayFilter is one element of arrayFilters: a condition on {identifier: element}.
type arrayFilter struct {
	identifier string
	filter     *filter.Filter
}

// elementFilters tries array filters on elements.
type elementFilters struct {
	list    []arrayFilter
	wrapped []byte // a document around an element
}

// choose reports whether the filter of an identifier chooses an element; $[], without an identifier, chooses every one.
func (f *elementFilters) choose(id []byte, v bsonraw.Value) (bool, error) {
	if len(id) == 0 {
		return true, nil
	}
	for i := range f.list {
		if string(id) != f.list[i].identifier {
			continue
		}
		doc, at := bsonraw.BeginDoc(f.wrapped[:0])
		doc = bsonraw.AppendValue(doc, f.list[i].identifier, v)
		f.wrapped = bsonraw.EndDoc(doc, at)
		return f.list[i].filter.Match(f.wrapped)
	}
	return false, nil
}

// maxArrayFilters is how many an update may have; MongoDB sets no limit.
const maxArrayFilters = 64

func compileArrayFilters(opts Options) ([]arrayFilter, error) {
	var out []arrayFilter
	for it := opts.ArrayFilters.Iter(); it.Next(); {
		v := it.Value()
		if v.Type != bsonraw.TypeDocument {
			return nil, mongoerr.New(mongoerr.TypeMismatch,
				"BSON field 'update.updates.arrayFilters.%s' is the wrong type '%s', expected type 'object'", it.Key(), v.Type.Name())
		}
		f, err := compileArrayFilter(v.Doc(), opts)
		if err != nil {
			return nil, mongoerr.From(err).Prefix("Error parsing array filter :: caused by :: ")
		}
		if f.identifier == "" {
			return nil, mongoerr.New(mongoerr.FailedToParse, "Cannot use an expression without a top-level field name in arrayFilters")
		}
		for i := range out {
			if out[i].identifier == f.identifier {
				return nil, mongoerr.New(mongoerr.FailedToParse, "Found multiple array filters with the same top-level field name %s", f.identifier)
			}
		}
		if out = append(out, f); len(out) > maxArrayFilters {
			return nil, mongoerr.New(mongoerr.BadValue, "An update has at most %d array filters", maxArrayFilters)
		}
	}
	return out, nil
}

func compileArrayFilter(doc bsonraw.Doc, opts Options) (arrayFilter, error) {
	if err := refuseExpr(doc); err != nil {
		return arrayFilter{}, err
	}
	compiled, err := filter.Compile(doc, filter.Options{Scope: opts.Scope})
	if err != nil {
		return arrayFilter{}, err
	}
	name, found, err := topField(doc, nil, false)
	if err != nil || !found {
		return arrayFilter{}, err
	}
	if !isIdentifier(name) {
		return arrayFilter{}, mongoerr.New(mongoerr.BadValue,
			"The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '%s'", name)
	}
	return arrayFilter{identifier: string(name), filter: compiled}, nil
}

// topField returns the one field that all conditions of a filter are about. The filter has been compiled, so its depth is
// bounded.
func topField(doc bsonraw.Doc, name []byte, found bool) ([]byte, bool, error) {
	var err error
	for it := doc.Iter(); it.Next(); {
		key := it.Key()
		if len(key) > 0 && key[0] == '$' {
			if it.Value().Type != bsonraw.TypeArray {
				continue
			}
			for sub := it.Value().Doc().Iter(); sub.Next(); {
				if name, found, err = topField(sub.Value().Doc(), name, found); err != nil {
					return nil, false, err
				}
			}
			continue
		}
		top, _, _ := bytes.Cut(key, []byte{'.'})
		if found && !bytes.Equal(top, name) {
			return nil, false, mongoerr.New(mongoerr.FailedToParse, "Expected a single top-level field name, found '%s' and '%s'", name, top)
		}
		name, found = top, true
	}
	return name, found, nil
}

func isIdentifier(name []byte) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || (c < 'A' || c > 'Z') && (c < '0' || c > '9')) {
			return false
		}
	}
	return len(name) > 0
}

// refuseExpr refuses the operators that need a whole document, wherever a condition could have them.
func refuseExpr(doc bsonraw.Doc) error {
	for it := doc.Iter(); it.Next(); {
		switch key := it.Key(); string(key) {
		case "$expr":
			return mongoerr.New(queryFeatureNotAllowed, "%s is not allowed in this context", key)
		case "$where", "$text":
			return mongoerr.New(mongoerr.BadValue, "%s is not allowed in this context", key)
		case "$and", "$or", "$nor":
			if it.Value().Type != bsonraw.TypeArray {
				continue
			}
			for sub := it.Value().Doc().Iter(); sub.Next(); {
				if sub.Value().Type != bsonraw.TypeDocument {
					continue
				}
				if err := refuseExpr(sub.Value().Doc()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// useFilters notes which array filters a path names, and refuses names that no filter has.
func (c *compiler) useFilters(parts [][]byte, path []byte) error {
	for _, part := range parts {
		if !isFilterPart(part) || len(identifier(part)) == 0 {
			continue
		}
		known := false
		for i, f := range c.update.filters {
			if f.identifier == string(identifier(part)) {
				c.used |= 1 << i
				known = true
			}
		}
		if !known {
			return mongoerr.New(mongoerr.BadValue, "No array filter found for identifier '%s' in path '%s'", identifier(part), path)
		}
	}
	return nil
}
