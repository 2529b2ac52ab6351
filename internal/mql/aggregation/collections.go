package aggregation

import "github.com/sluicestream/sluice/internal/bsonraw"

// Collections calls visit with the name of each collection that a pipeline reads besides the one that it runs on, in its own
// stages and in the pipelines within them. It looks at the form alone: what does not compile names nothing.
func Collections(pipeline bsonraw.Doc, visit func(name string)) { eachCollection(pipeline, visit, 0) }

func eachCollection(pipeline bsonraw.Doc, visit func(name string), depth int) {
	if depth > maxNesting {
		return
	}
	inner := func(v bsonraw.Value) {
		if v.Type == bsonraw.TypeArray {
			eachCollection(v.Doc(), visit, depth+1)
		}
	}
	name := func(v bsonraw.Value) {
		if v.Type == bsonraw.TypeString {
			visit(v.Str())
		}
	}
	for it := pipeline.Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			continue
		}
		stage := it.Value().Doc().Iter()
		if !stage.Next() {
			continue
		}
		spec := stage.Value()
		switch string(stage.Key()) {
		case "$lookup", "$graphLookup":
			if spec.Type == bsonraw.TypeDocument {
				name(spec.Doc().Lookup("from"))
				inner(spec.Doc().Lookup("pipeline"))
			}
		case "$unionWith":
			name(spec)
			if spec.Type == bsonraw.TypeDocument {
				name(spec.Doc().Lookup("coll"))
				inner(spec.Doc().Lookup("pipeline"))
			}
		case "$facet":
			if spec.Type == bsonraw.TypeDocument {
				for facet := spec.Doc().Iter(); facet.Next(); {
					inner(facet.Value())
				}
			}
		}
	}
}
