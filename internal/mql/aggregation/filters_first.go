package aggregation

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// keeper is a stage whose documents have some of the fields of those that it was made of, unchanged: what is asked of these fields
// may as well be asked before it.
type keeper interface {
	stage
	keeps(field string) bool
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
			before, ok := p.stages[j-1].(keeper)
			if !ok {
				break
			}
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

// split tells the conditions that may be asked before a stage from the others.
func (s *match) split(before keeper) (moved, rest []bsonraw.Doc) {
	for _, spec := range s.conjuncts() {
		for _, one := range conditions(nil, spec) {
			if readsOnly(one, before.keeps) {
				moved = append(moved, one)
			} else {
				rest = append(rest, one)
			}
		}
	}
	return moved, rest
}

// conditions appends the parts of a filter that must all hold.
func conditions(dst []bsonraw.Doc, spec bsonraw.Doc) []bsonraw.Doc {
	for it := spec.Iter(); it.Next(); {
		key := string(it.Key())
		switch {
		case key == "$and" || key == "$or" && it.Value().Doc().Len() == 1:
			for part := it.Value().Doc().Iter(); part.Next(); {
				dst = conditions(dst, part.Value().Doc())
			}
		case key == "$nor": // none of them: each of them not
			for part := it.Value().Doc().Iter(); part.Next(); {
				one := bsonraw.BeginArray(nil)
				one.Append(part.Value())
				dst = append(dst, condition(key, bsonraw.Value{Type: bsonraw.TypeArray, Data: one.End()}))
			}
		default:
			dst = append(dst, condition(key, it.Value()))
		}
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
	part := &match{joined: conditions, spec: all(conditions), varies: s.varies}
	if len(conditions) == 1 {
		part.joined, part.spec = nil, conditions[0]
	}
	var err error
	part.filter, err = filter.Compile(part.spec, filter.Options{Scope: p.scope})
	return part, err
}

// readsOnly reports whether a filter asks for nothing but fields that keeps takes. Conditions on whole arrays are said to ask for more:
// MongoDB leaves them where they are, which shows when the stage before fails for a document that they do not take.
func readsOnly(spec bsonraw.Doc, keeps func(field string) bool) bool {
	for it := spec.Iter(); it.Next(); {
		key := string(it.Key())
		switch {
		case key == "$and" || key == "$or" || key == "$nor":
			for branch := it.Value().Doc().Iter(); branch.Next(); {
				if !readsOnly(branch.Value().Doc(), keeps) {
					return false
				}
			}
		case strings.HasPrefix(key, "$"):
			return false
		default:
			field, _, _ := strings.Cut(key, ".")
			data := it.Value().Data
			if !keeps(field) || bytes.Contains(data, []byte("$elemMatch\x00")) || bytes.Contains(data, []byte("$size\x00")) {
				return false
			}
		}
	}
	return true
}

func (s *project) keeps(field string) bool { return s.projection.Keeps(field) }

func (s *unwind) keeps(field string) bool {
	return field != s.path[0] && (s.index == nil || field != s.index[0])
}

func (s *lookup) keeps(field string) bool {
	return field != s.as[0] && (s.unwind == nil || s.unwind.keeps(field))
}
