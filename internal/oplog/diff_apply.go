package oplog

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

const (
	// maxPadding is how many nulls MongoDB adds at most to reach an index beyond an array's end.
	maxPadding = 1_500_000
	// manyFields is where looking names up one by one becomes slower than a map.
	manyFields = 16
)

// ApplyDiff returns what pre becomes by the diff. Whatever the diff mentions that pre does not have is created, or ignored
// where only a nested change is known, so that a diff can be applied again to what it produced. A diff that does not have the
// form of one, or would make an array longer than a document can hold, gives an error.
func ApplyDiff(pre, diff bsonraw.Doc) (bsonraw.Doc, error) {
	out, err := applyObject(make([]byte, 0, len(pre)+len(diff)), pre, diff, 0)
	if err != nil {
		return nil, err
	}
	return out, nil
}

var errPadding = errors.New("apply diff: it would lengthen an array beyond what a document can hold")

// fieldChange is what the diff says of one field.
type fieldChange struct {
	section section
	name    []byte
	value   bsonraw.Value
	met     bool // the field was there
}

// fieldChanges are all changes of one object.
type fieldChanges struct {
	list  []fieldChange
	index map[string]int // only of long lists
}

// parseFieldChanges puts created fields last: where a field is both, it moves to the end.
func parseFieldChanges(diff bsonraw.Doc) (fieldChanges, error) {
	var f fieldChanges
	parts, err := splitObjectDiff(diff)
	if err != nil {
		return f, err
	}
	for _, s := range [...]section{removed, changed, created} {
		for it := parts[s].Iter(); it.Next(); {
			f.list = append(f.list, fieldChange{section: s, name: it.Key(), value: it.Value()})
		}
	}
	for it := diff.Iter(); it.Next(); {
		if key := it.Key(); key[0] == sectionNested {
			f.list = append(f.list, fieldChange{section: nested, name: key[1:], value: it.Value()})
		}
	}
	if len(f.list) > manyFields {
		f.index = make(map[string]int, len(f.list))
		for i := range f.list {
			f.index[string(f.list[i].name)] = i
		}
	}
	return f, nil
}

// find returns the change of a field; of several the last, or nil.
func (f *fieldChanges) find(name []byte) *fieldChange {
	if f.index != nil {
		if i, ok := f.index[string(name)]; ok {
			return &f.list[i]
		}
		return nil
	}
	for i := len(f.list) - 1; i >= 0; i-- {
		if string(f.list[i].name) == string(name) {
			return &f.list[i]
		}
	}
	return nil
}

func applyObject(dst []byte, pre, diff bsonraw.Doc, depth int) ([]byte, error) {
	if depth > maxDiffNesting {
		return nil, errDiffTooDeep
	}
	f, err := parseFieldChanges(diff)
	if err != nil {
		return nil, err
	}
	dst, at := bsonraw.BeginDoc(dst)
	for it := pre.Iter(); it.Next(); {
		c := f.find(it.Key())
		if c == nil {
			dst = append(dst, it.Elem()...)
			continue
		}
		switch c.section {
		case changed:
			if !c.met {
				dst = bsonraw.AppendValue(dst, it.Key(), c.value)
			}
		case nested:
			dst = bsonraw.AppendHeader(dst, it.Value().Type, it.Key())
			if dst, err = applyValue(dst, it.Value(), c.value.Doc(), depth); err != nil {
				return nil, err
			}
		}
		c.met = true
	}
	for i := range f.list {
		c := &f.list[i]
		if c.section == created || c.section == changed && !c.met {
			dst = bsonraw.AppendValue(dst, c.name, c.value)
		}
	}
	return bsonraw.EndDoc(dst, at), nil
}

// applyValue appends a nested value with its diff applied, or as it is when it is not what the diff is for.
func applyValue(dst []byte, v bsonraw.Value, diff bsonraw.Doc, depth int) ([]byte, error) {
	switch array := isArrayDiff(diff); {
	case array && v.Type == bsonraw.TypeArray:
		return applyArray(dst, v.Doc(), diff, depth+1)
	case !array && v.Type == bsonraw.TypeDocument:
		return applyObject(dst, v.Doc(), diff, depth+1)
	}
	return append(dst, v.Data...), nil
}

// applyArray walks the old elements and the changes side by side: both are in the order of the indexes.
func applyArray(dst []byte, pre, diff bsonraw.Doc, depth int) ([]byte, error) {
	if depth > maxDiffNesting {
		return nil, errDiffTooDeep
	}
	dst, at := bsonraw.BeginDoc(dst)
	w := arrayWriter{dst: dst, old: pre.Iter(), length: bsonraw.MaxDocumentSize}
	for it := diff.Iter(); it.Next(); {
		c, err := parseArrayChange(it.Key(), it.Value())
		if err != nil {
			return nil, err
		}
		if c.kind == arrayShorter {
			w.length = c.index
		}
		if c.kind == arrayHead || c.kind == arrayShorter {
			continue
		}
		if err := w.change(c, it.Value(), depth); err != nil {
			return nil, err
		}
	}
	w.copyUntil(w.length)
	return bsonraw.EndDoc(w.dst, at), nil
}

type arrayWriter struct {
	dst    []byte
	old    bsonraw.Iter
	length int // elements at most
	n      int // elements written
}

// copyUntil copies old elements until n are written or none is left.
func (w *arrayWriter) copyUntil(n int) {
	for w.n < min(n, w.length) && w.old.Next() {
		w.put(w.old.Value())
	}
}

func (w *arrayWriter) put(v bsonraw.Value) {
	w.header(v.Type)
	w.dst = append(w.dst, v.Data...)
}

func (w *arrayWriter) header(t bsonraw.Type) {
	w.dst = append(w.dst, byte(t))
	w.dst = append(strconv.AppendInt(w.dst, int64(w.n), 10), 0)
	w.n++
}

func (w *arrayWriter) change(c arrayChange, v bsonraw.Value, depth int) error {
	if c.index < w.n {
		return fmt.Errorf("apply diff: index %d of an array comes after a higher one", c.index)
	}
	w.copyUntil(c.index)
	had := w.n == c.index && w.n < w.length && w.old.Next()
	if c.kind == arrayNested {
		if !had {
			return nil
		}
		w.header(w.old.Value().Type)
		var err error
		w.dst, err = applyValue(w.dst, w.old.Value(), v.Doc(), depth)
		return err
	}
	if c.index-w.n > maxPadding {
		return errPadding
	}
	for w.n < c.index {
		if len(w.dst) > bsonraw.MaxDocumentSize {
			return errPadding
		}
		w.put(bsonraw.NullValue)
	}
	w.put(v)
	return nil
}
