package aggregation

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// keptPaths are the paths that a stage keeps for filters. Of what an inclusion keeps MongoDB leaves out what is within a path that is asked for
// too and is not kept as a whole.
type keptPaths struct {
	by      keeper
	changed map[string]bool // what is asked for and not kept; nil where that does not matter
}

func newKeptPaths(by keeper) *keptPaths {
	k := &keptPaths{by: by}
	if p, ok := by.(*project); ok && p.projection.Includes() {
		k.changed = map[string]bool{}
	}
	return k
}

// ask notes what a filter asks for.
func (k *keptPaths) ask(spec bsonraw.Doc) {
	if k.changed == nil {
		return
	}
	eachPath(spec, func(path string) {
		if !k.by.keeps(path) {
			k.changed[path] = true
		}
	})
}

func (k *keptPaths) keeps(path string) bool {
	for i := range len(path) {
		if path[i] == '.' && k.changed[path[:i]] {
			return false
		}
	}
	return k.by.keeps(path)
}

// eachPath calls visit for the paths that a filter asks for.
func eachPath(spec bsonraw.Doc, visit func(path string)) {
	for it := spec.Iter(); it.Next(); {
		switch key := string(it.Key()); {
		case key == "$and", key == "$or", key == "$nor":
			for branch := it.Value().Doc().Iter(); branch.Next(); {
				eachPath(branch.Value().Doc(), visit)
			}
		case key == "$expr":
			eachPathOf(it.Value(), visit)
		case key == "$jsonSchema":
			eachPathOfSchema(it.Value(), visit)
		case !strings.HasPrefix(key, "$"):
			visit(beforeNumber(key))
		}
	}
}

// eachPathOf calls visit for the paths that an expression names.
func eachPathOf(v bsonraw.Value, visit func(path string)) {
	switch v.Type {
	case bsonraw.TypeString:
		if path, ok := fieldOf(v.Str()); ok && path != "" {
			visit(path)
		}
	case bsonraw.TypeDocument, bsonraw.TypeArray:
		for it := v.Doc().Iter(); it.Next(); {
			if string(it.Key()) != "$literal" {
				eachPathOf(it.Value(), visit)
			}
		}
	}
}

// eachPathOfSchema calls visit for the fields that a schema names for the document as a whole.
func eachPathOfSchema(schema bsonraw.Value, visit func(path string)) {
	if schema.Type != bsonraw.TypeDocument {
		return
	}
	for it := schema.Doc().Iter(); it.Next(); {
		switch v := it.Value(); string(it.Key()) {
		case "properties":
			eachName(v, visit)
		case "required":
			eachPart(v, func(part bsonraw.Value) { visit(string(part.Bytes())) })
		case "dependencies":
			eachName(v, visit)
			eachPart(v, func(needed bsonraw.Value) {
				if needed.Type == bsonraw.TypeArray {
					eachPart(needed, func(part bsonraw.Value) { visit(string(part.Bytes())) })
				} else {
					eachPathOfSchema(needed, visit)
				}
			})
		case "allOf", "anyOf", "oneOf":
			eachPart(v, func(part bsonraw.Value) { eachPathOfSchema(part, visit) })
		case "not":
			eachPathOfSchema(v, visit)
		}
	}
}

func eachName(v bsonraw.Value, visit func(name string)) {
	if v.Type != bsonraw.TypeDocument {
		return
	}
	for it := v.Doc().Iter(); it.Next(); {
		visit(string(it.Key()))
	}
}

func eachPart(v bsonraw.Value, visit func(part bsonraw.Value)) {
	if v.Type != bsonraw.TypeDocument && v.Type != bsonraw.TypeArray {
		return
	}
	for it := v.Doc().Iter(); it.Next(); {
		visit(it.Value())
	}
}
