package plan

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/store"
)

// Bounds are keys of an index between which entries are wanted, whatever the filter says: min and max of a find.
type Bounds struct {
	index *store.Index
	keyRange
}

// Codes of bounds that an index cannot have.
const (
	codeNotOfIndex mongoerr.Code = 51174
	codeOutOfOrder mongoerr.Code = 51175
)

// NewBounds makes the bounds of an index: from the entries at min, included, to those at max, which are not. A bound has a value for
// each field of the index; nil is none. Texts in them must compare as in the index.
func NewBounds(x *store.Index, least, most bsonraw.Doc, by *collation.Collation) (*Bounds, error) {
	b := &Bounds{index: x}
	var err error
	if !by.Same(RulesOf(x).Collation) && (mayHoldText(least) || mayHoldText(most)) {
		return nil, errNotOfIndex
	}
	if b.From, err = boundKey(x, least); err != nil {
		return nil, err
	}
	if b.To, err = boundKey(x, most); err != nil {
		return nil, err
	}
	if bytes.Compare(boundOr(b.From, x, bsonraw.TypeMinKey, bsonraw.TypeMaxKey), boundOr(b.To, x, bsonraw.TypeMaxKey, bsonraw.TypeMinKey)) >= 0 {
		return nil, mongoerr.New(codeOutOfOrder, "error processing query: planner returned error :: caused by :: "+
			"The value provided for min() does not come before the value provided for max() in the hinted index")
	}
	return b, nil
}

// mayHoldText reports whether a bound has texts, or what might have texts in it; MongoDB does not look into that.
func mayHoldText(bound bsonraw.Doc) bool {
	for it := bound.Iter(); it.Next(); {
		if t := it.Value().Type; t == bsonraw.TypeString || t == bsonraw.TypeDocument || t == bsonraw.TypeArray {
			return true
		}
	}
	return false
}

func boundKey(x *store.Index, bound bsonraw.Doc) ([]byte, error) {
	if bound == nil {
		return nil, nil
	}
	var values []bsonraw.Value
	for it := bound.Iter(); it.Next(); {
		if i := len(values); i == len(x.Fields) || x.Fields[i].Path != string(it.Key()) {
			return nil, errNotOfIndex
		}
		values = append(values, it.Value())
	}
	if len(values) < len(x.Fields) {
		return nil, errNotOfIndex
	}
	return x.AppendKey(nil, values), nil
}

// boundOr is a bound, or for none the key at an end of the index: of one type in its ascending fields, of the other in its descending ones.
func boundOr(bound []byte, x *store.Index, ascending, descending bsonraw.Type) []byte {
	if bound != nil {
		return bound
	}
	values := make([]bsonraw.Value, len(x.Fields))
	for i, f := range x.Fields {
		values[i].Type = ascending
		if f.Descending {
			values[i].Type = descending
		}
	}
	return x.AppendKey(nil, values)
}

var errNotOfIndex = mongoerr.New(codeNotOfIndex, "error processing query: planner returned error :: caused by :: The index chosen is not compatible with min/max")

// bounded makes the plan that walks what lies between bounds. Where entries of a document may be left out, they do not tell where
// it belongs in an order.
func (q *Query) bounded(p *Plan) {
	s := &scan{index: q.Bounds.index, ranges: []keyRange{q.Bounds.keyRange}, cost: 1}
	p.kind, p.branches = oneScan, []branch{{scan: s}}
	if q.Order != nil && !q.Bounds.index.Multikey() {
		s.reverse, p.Sorted = s.gives(q.Order)
	}
}

// AppendIndexKey appends a document with the index entry through which the current document was found: its values by the paths of
// the index. It is empty where no index was used: that of a clustered collection is none, it has no entries.
func (w *Walk) AppendIndexKey(dst []byte, doc bsonraw.Doc) ([]byte, error) {
	dst, at := bsonraw.BeginDoc(dst)
	var err error
	switch {
	case w.plan.kind == pointRead && !w.plan.Collection.Indexes[0].Clustered:
		dst = bsonraw.AppendValue(dst, "_id", doc.Lookup("_id"))
	case w.current != nil && w.current.scan.index != nil && !w.current.scan.index.Clustered:
		dst, err = w.current.appendValues(dst, doc)
	}
	return bsonraw.EndDoc(dst, at), err
}

// appendValues appends the values of the entry that the stream stands at.
func (s *stream) appendValues(dst []byte, doc bsonraw.Doc) ([]byte, error) {
	x := s.scan.index
	key := s.key()
	var tuple []byte
	found := false
	err := x.EachEntry(doc, func(values []bsonraw.Value) error {
		if tuple = x.AppendKey(tuple[:0], values); found || !bytes.HasPrefix(key, tuple) {
			return nil
		}
		found = true
		for i, v := range values {
			if v.IsMissing() {
				v = bsonraw.NullValue
			}
			dst = bsonraw.AppendValue(dst, x.Fields[i].Path, v)
		}
		return nil
	})
	return dst, err
}
