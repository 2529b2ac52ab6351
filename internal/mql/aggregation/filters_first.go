package aggregation

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// keeper is a stage whose documents have at some paths what those had that it was made of: what is asked of these may as well be asked
// before it.
type keeper interface {
	stage
	keeps(path string) bool
}

// filtersFirst moves each $match as far to the front as it may go, or the part of it that may.
func (p *Pipeline) filtersFirst() error {
	for i := 1; i < len(p.stages); i++ {
		for j := i; j > 0; j-- {
			m, ok := p.stages[j].(*match)
			if !ok {
				break
			}
			if _, ok := p.stages[j-1].(*sortStage); ok {
				p.stages[j-1], p.stages[j] = m, p.stages[j-1]
				continue
			}
			if _, ok := p.stages[j-1].(*redact); ok {
				safe := m.beforeRedact()
				if safe == nil {
					break
				}
				part, err := m.part(p, safe)
				if err != nil {
					return err
				}
				p.stages = slices.Insert(p.stages, j-1, stage(part))
				i++
				continue
			}
			before := p.stages[j-1]
			moved, rest := m.split(before)
			if moved == nil {
				break
			}
			parts := make([]stage, 0, 2)
			for _, spec := range [...][]bsonraw.Doc{moved, rest} {
				if len(spec) == 0 {
					continue
				}
				part, err := m.part(p, spec)
				if err != nil {
					return err
				}
				parts = append(parts, part)
			}
			p.stages = slices.Replace(p.stages, j-1, j+1, append([]stage{parts[0], before}, parts[1:]...)...)
		}
	}
	return nil
}

// split tells the conditions that may be asked before a stage from the others. Filters that were joined go one by one: what one asks for counts
// for those behind it.
func (s *match) split(before stage) (moved, rest []bsonraw.Doc) {
	var passes func(condition bsonraw.Doc) bool
	ask := func(bsonraw.Doc) {}
	switch before := before.(type) {
	case barrier:
		if s.takesNothing() {
			return nil, nil
		}
		passes = before.passes
	case keeper:
		kept := newKeptPaths(before)
		ask = kept.ask
		passes = func(condition bsonraw.Doc) bool { return readsOnly(condition, kept.keeps) }
	default:
		return nil, nil
	}
	for _, spec := range s.conjuncts() {
		ask(spec)
		for _, one := range conditions(nil, spec) {
			if passes(one) {
				moved = append(moved, one)
			} else {
				rest = append(rest, one)
			}
		}
	}
	return moved, rest
}

// takesNothing reports whether a condition that nothing meets is among those that must all hold. MongoDB leaves the stage behind
// a barrier then.
func (s *match) takesNothing() bool {
	for _, spec := range s.conjuncts() {
		for _, one := range conditions(nil, spec) {
			if it := one.Iter(); it.Next() && isNothing(it.Value()) {
				return true
			}
		}
	}
	return false
}

// conditions appends the parts of a filter that must all hold.
func conditions(dst []bsonraw.Doc, spec bsonraw.Doc) []bsonraw.Doc {
	for it := spec.Iter(); it.Next(); {
		key := string(it.Key())
		switch {
		case key == "$and":
			for part := it.Value().Doc().Iter(); part.Next(); {
				dst = conditions(dst, part.Value().Doc())
			}
		case key == "$or":
			if left := possible(it.Value().Doc()); len(left) == 1 && !asksSchema(left[0]) {
				dst = conditions(dst, left[0])
			} else {
				dst = append(dst, condition(key, it.Value()))
			}
		case key == "$nor": // none of them: each of them not
			for part := it.Value().Doc().Iter(); part.Next(); {
				one := bsonraw.BeginArray(nil)
				one.Append(part.Value())
				dst = append(dst, condition(key, bsonraw.Value{Type: bsonraw.TypeArray, Data: one.End()}))
			}
		case isOperators(key, it.Value()):
			dst = operators(dst, key, it.Value().Doc())
		default:
			dst = append(dst, condition(key, it.Value()))
		}
	}
	return dst
}

// isOperators reports whether a field is asked for several things.
func isOperators(key string, v bsonraw.Value) bool {
	if key == "" || key[0] == '$' || v.Type != bsonraw.TypeDocument {
		return false
	}
	it := v.Doc().Iter()
	return it.Next() && len(it.Key()) > 0 && it.Key()[0] == '$' && it.Next()
}

// operators appends a condition for each operator on a field. $options belong to $regex.
func operators(dst []bsonraw.Doc, path string, spec bsonraw.Doc) []bsonraw.Doc {
	if !spec.Lookup("$ref").IsMissing() {
		return append(dst, condition(path, spec.Value()))
	}
	options := spec.Lookup("$options")
	for it := spec.Iter(); it.Next(); {
		one, at := bsonraw.BeginDoc(nil)
		switch one = bsonraw.AppendValue(one, it.Key(), it.Value()); string(it.Key()) {
		case "$options":
			continue
		case "$regex":
			one = bsonraw.AppendValue(one, "$options", options)
		}
		dst = append(dst, condition(path, bsonraw.Doc(bsonraw.EndDoc(one, at)).Value()))
	}
	return dst
}

// condition is a filter with one field.
func condition(key string, v bsonraw.Value) bsonraw.Doc {
	one, at := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(bsonraw.AppendValue(one, key, v), at)
}

// part is the stage with some of its conditions.
func (s *match) part(p *Pipeline, conditions []bsonraw.Doc) (*match, error) {
	part := &match{spec: all(conditions), varies: s.varies}
	if len(conditions) == 1 {
		part.spec = conditions[0]
	}
	var err error
	part.filter, err = filter.Compile(part.spec, filter.Options{Scope: p.scope})
	return part, err
}

// readsOnly reports whether a filter asks for nothing but paths that keeps takes. Conditions on whole arrays are said to ask for more:
// MongoDB leaves them where they are, which shows when the stage before fails for a document that they do not take.
func readsOnly(spec bsonraw.Doc, keeps func(path string) bool) bool {
	for it := spec.Iter(); it.Next(); {
		key := string(it.Key())
		switch {
		case key == "$or":
			left := possible(it.Value().Doc())
			if len(left) == 0 || slices.ContainsFunc(left, func(branch bsonraw.Doc) bool { return !readsOnly(branch, keeps) }) {
				return false
			}
		case key == "$and" || key == "$nor":
			for branch := it.Value().Doc().Iter(); branch.Next(); {
				if !readsOnly(branch.Value().Doc(), keeps) {
					return false
				}
			}
		case key == "$expr":
			if !evaluatesOnly(it.Value(), keeps) {
				return false
			}
		case strings.HasPrefix(key, "$"):
			return false
		default:
			data := it.Value().Data
			if isNothing(it.Value()) || !keeps(beforeNumber(key)) || bytes.Contains(data, []byte("$elemMatch\x00")) || bytes.Contains(data, []byte("$size\x00")) {
				return false
			}
		}
	}
	return true
}

// beforeNumber is a filter's path up to a number, which may mean an item of an array: what changes within one may be at it. A number at the
// beginning is a name.
func beforeNumber(path string) string {
	end := 0
	for part := range strings.SplitSeq(path, ".") {
		if end > 0 && isNumber(part) {
			return path[:end-1]
		}
		end += len(part) + 1
	}
	return path
}

// evaluatesOnly reports whether an expression reads nothing but paths that keeps takes. What may read a whole document does not count as such.
func evaluatesOnly(v bsonraw.Value, keeps func(path string) bool) bool {
	switch v.Type {
	case bsonraw.TypeString:
		path, ok := fieldOf(v.Str())
		return !ok || path != "" && keeps(path)
	case bsonraw.TypeDocument, bsonraw.TypeArray:
		for it := v.Doc().Iter(); it.Next(); {
			switch key := string(it.Key()); {
			case key == "$literal":
			case key == "$getField" && (!it.Value().IsDoc() || it.Value().Doc().Lookup("input").IsMissing()) || key == "$meta" || !evaluatesOnly(it.Value(), keeps):
				return false
			}
		}
	}
	return true
}

// fieldOf returns the path of a field that a string within an expression stands for, empty for the whole document.
func fieldOf(text string) (path string, ok bool) {
	path, ok = strings.CutPrefix(text, "$")
	if name, below, _ := strings.Cut(path, "."); name == "$ROOT" || name == "$CURRENT" {
		return below, ok
	}
	return path, ok && !strings.HasPrefix(path, "$")
}

func (s *project) keeps(path string) bool { return s.projection.Keeps(path) }

func (s *unwind) keeps(path string) bool { return apart(path, s.path) && apart(path, s.index) }

func (s *lookup) keeps(path string) bool {
	return apart(path, s.as) && (s.unwind == nil || s.unwind.keeps(path))
}

// apart reports whether neither of two paths is a part of the other. The second one may be empty: nothing is part of it.
func apart(path string, other []string) bool {
	for i, name := range other {
		part, rest, more := strings.Cut(path, ".")
		if part != name {
			return true
		}
		if !more {
			return false
		}
		if path = rest; i == len(other)-1 {
			return false
		}
	}
	return true
}

// beforeRedact returns the conditions that may be asked before a $redact as well: what it takes away does not make them true. MongoDB asks them
// twice.
func (s *match) beforeRedact() (safe []bsonraw.Doc) {
	for _, spec := range s.conjuncts() {
		for _, one := range conditions(nil, spec) {
			if survivesRedact(one) {
				safe = append(safe, one)
			}
		}
	}
	return safe
}

// survivesRedact reports whether a condition that a redacted document meets was met by the whole one too.
func survivesRedact(condition bsonraw.Doc) bool {
	for it := condition.Iter(); it.Next(); {
		key, v := string(it.Key()), it.Value()
		if strings.HasPrefix(key, "$") || slices.ContainsFunc(strings.Split(key, "."), isNumber) {
			return false
		}
		if v.Type != bsonraw.TypeDocument {
			if !survivesAs(v) {
				return false
			}
			continue
		}
		for op := v.Doc().Iter(); op.Next(); {
			switch string(op.Key()) {
			case "$eq", "$gt", "$gte", "$lt", "$lte":
				if !survivesAs(op.Value()) {
					return false
				}
			case "$in":
				for item := op.Value().Doc().Iter(); item.Next(); {
					if !survivesAs(item.Value()) {
						return false
					}
				}
			case "$mod", "$regex", "$options":
			default:
				return false
			}
		}
	}
	return true
}

// survivesAs reports whether $redact can not make such a value of another one.
func survivesAs(v bsonraw.Value) bool {
	switch v.Type {
	case bsonraw.TypeDocument, bsonraw.TypeArray, bsonraw.TypeNull, bsonraw.TypeUndefined:
		return false
	}
	return true
}

func isNumber(part string) bool {
	return part != "" && strings.Trim(part, "0123456789") == ""
}
