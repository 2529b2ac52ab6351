package projection

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// run is one pass over one document.
type run struct {
	ctx      *expression.Context
	root     bsonraw.Doc
	keep     bool
	places   bool // of what is taken away
	position int
	picked   bool // the positional path has met its array: what lies below is taken whole
	nested   bool // below an array in an array, where $slice does nothing
}

// document appends what the projection leaves of doc.
func (r *run) document(dst []byte, n *node, doc bsonraw.Doc) ([]byte, error) {
	dst, at := bsonraw.BeginDoc(dst)
	var few [2]uint64
	done := few[:]
	if len(n.entries) > 64*len(few) {
		done = make([]uint64, (len(n.entries)+63)/64)
	}
	var err error
	hint, left := 0, n.present
	it := doc.Iter()
	if r.keep {
		it = doc.Places()
	}
	for it.Next() {
		if left == 0 && !r.keep {
			break // all that the projection names has been found
		}
		i := n.find(it.Key(), hint)
		if i < 0 {
			if r.keep {
				dst = append(dst, it.Elem()...)
			}
			continue
		}
		hint = i + 1
		e := &n.entries[i]
		if e.action != compute && e.action != elemMatch {
			left--
		} else if !r.keep {
			continue // an inclusion appends what it computes behind what it takes over
		}
		before := len(dst)
		if dst, err = r.field(dst, e, it.Elem(), it.Value()); err != nil {
			return dst, err
		}
		if len(dst) > before || r.keep {
			done[i/64] |= 1 << (i % 64)
		}
	}
	if n.adds {
		if dst, err = r.newFields(dst, n, doc, done); err != nil {
			return dst, err
		}
	}
	return bsonraw.EndDoc(dst, at), nil
}

// newFields appends what the projection adds to the fields that were done. One that something is named
// below has a place among them if the document lacks it, or has something there that is taken away.
func (r *run) newFields(dst []byte, n *node, doc bsonraw.Doc, done []uint64) (_ []byte, err error) {
	for i := range n.entries {
		e := &n.entries[i]
		switch {
		case done[i/64]&(1<<(i%64)) != 0:
		case e.adds():
			if dst, err = r.newField(dst, e, doc); err != nil {
				return dst, err
			}
		case e.action == descend && r.places:
			dst = bsonraw.AppendVacant(dst, e.key)
		}
	}
	return dst, nil
}

// field appends what the projection makes of a field that the document has.
func (r *run) field(dst []byte, e *entry, elem []byte, v bsonraw.Value) ([]byte, error) {
	switch e.action {
	case include:
		if e.positional && !r.picked && v.Type == bsonraw.TypeArray {
			return r.pick(dst, e.key, v.Doc())
		}
		return append(dst, elem...), nil
	case exclude:
		if r.places && r.keep {
			dst = bsonraw.AppendVacant(dst, e.key)
		}
		return dst, nil
	case compute:
		return e.value.AppendElem(dst, e.key, r.ctx, r.root)
	case elemMatch:
		return r.matching(dst, e, v)
	case slice:
		if v.Type != bsonraw.TypeArray || r.nested {
			return append(dst, elem...), nil
		}
		return expression.AppendSlice(bsonraw.AppendHeader(dst, bsonraw.TypeArray, e.key), v.Doc(), e.from, e.limit), nil
	}
	switch {
	case v.Type == bsonraw.TypeDocument:
		return r.document(bsonraw.AppendHeader(dst, v.Type, e.key), e.child, v.Doc())
	case v.Type == bsonraw.TypeArray:
		dst = bsonraw.AppendHeader(dst, v.Type, e.key)
		if e.positional && !r.picked {
			return r.pickProjected(dst, e.child, v.Doc())
		}
		return r.array(dst, e.child, v.Doc())
	case e.child.adds:
		return r.document(bsonraw.AppendHeader(dst, bsonraw.TypeDocument, e.key), e.child, bsonraw.Empty)
	case r.keep:
		return append(dst, elem...), nil
	}
	return dst, nil
}

// newField appends a field that the document lacks.
func (r *run) newField(dst []byte, e *entry, doc bsonraw.Doc) ([]byte, error) {
	switch e.action {
	case compute:
		return e.value.AppendElem(dst, e.key, r.ctx, r.root)
	case elemMatch:
		return r.matching(dst, e, doc.Lookup(string(e.key)))
	}
	return r.document(bsonraw.AppendHeader(dst, bsonraw.TypeDocument, e.key), e.child, bsonraw.Empty)
}

// array appends what the projection leaves of an array: it is applied to each document in it, and in arrays in it.
func (r *run) array(dst []byte, n *node, array bsonraw.Doc) ([]byte, error) {
	out := bsonraw.BeginArray(dst)
	for it := array.Iter(); it.Next(); {
		if err := r.item(&out, n, it.Value()); err != nil {
			return out.End(), err
		}
	}
	return out.End(), nil
}

func (r *run) item(out *bsonraw.ArrayBuilder, n *node, v bsonraw.Value) error {
	if !r.leaves(n, v) {
		return nil
	}
	if v.Type == bsonraw.TypeArray {
		inner := *r
		inner.nested = true
		dst, at := out.Begin(v.Type)
		dst, err := inner.array(dst[:at], n, v.Doc())
		out.Resume(dst)
		return err
	}
	if v.Type != bsonraw.TypeDocument && !n.adds {
		out.Append(v)
		return nil
	}
	doc := bsonraw.Empty
	if v.Type == bsonraw.TypeDocument {
		doc = v.Doc()
	}
	dst, at := out.Begin(bsonraw.TypeDocument)
	dst, err := r.document(dst[:at], n, doc)
	out.Resume(dst)
	return err
}

// leaves reports whether anything remains of an item of an array.
func (r *run) leaves(n *node, v bsonraw.Value) bool {
	return v.Type == bsonraw.TypeDocument || v.Type == bsonraw.TypeArray || n.adds || r.keep
}

// pickProjected is pick for an array to whose items the rest of the path applies. The position counts the items of the document,
// and what the projection drops cannot be picked.
func (r *run) pickProjected(dst []byte, n *node, array bsonraw.Doc) ([]byte, error) {
	if r.position < 0 {
		return dst, errNoPosition
	}
	v := array.At(r.position)
	if v.IsMissing() || !r.leaves(n, v) {
		return dst, errPositionMismatch
	}
	inner := *r
	inner.picked = true
	out := bsonraw.BeginArray(dst)
	err := inner.item(&out, n, v)
	return out.End(), err
}

// matching appends the array of the first item that matches, and nothing when none does.
func (r *run) matching(dst []byte, e *entry, v bsonraw.Value) ([]byte, error) {
	if v.Type != bsonraw.TypeArray {
		return dst, nil
	}
	for it := v.Doc().Iter(); it.Next(); {
		ok, err := e.match.MatchValue(it.Value())
		if err != nil {
			return dst, err
		}
		if ok {
			return appendOne(dst, e.key, it.Value()), nil
		}
	}
	return dst, nil
}

// pick appends the array of the item at the position that the query matched.
func (r *run) pick(dst, key []byte, array bsonraw.Doc) ([]byte, error) {
	if r.position < 0 {
		return dst, errNoPosition
	}
	v := array.At(r.position)
	if v.IsMissing() {
		return dst, errPositionMismatch
	}
	return appendOne(dst, key, v), nil
}

func appendOne(dst, key []byte, v bsonraw.Value) []byte {
	out := bsonraw.BeginArray(bsonraw.AppendHeader(dst, bsonraw.TypeArray, key))
	out.Append(v)
	return out.End()
}
