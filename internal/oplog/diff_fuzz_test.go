package oplog

import (
	"bytes"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Any two documents: what turns the first into the second, if it is kept, does so to the byte, is told without an error, and does no harm to any
// other document.
func FuzzDiff(f *testing.F) {
	for _, s := range [][3]string{
		{`{"_id":1,"a":1,"b":[1,2,{"x":1}],"c":{"d":1}}`, `{"_id":1,"b":[1,{"x":2}],"c":{"d":1,"e":2},"pad":` + long + `}`, `{"b":{"0":1}}`},
		{`{"a":1,"b":2,"c":` + long + `}`, `{"b":2,"a":1,"c":` + long + `}`, `{}`},
		{`{"":1,"e.f":{"0":1}}`, `{"e.f":{"0":2,"1":[[]]},"":` + long + `}`, `{"e":{"f":1}}`},
	} {
		f.Add([]byte(parse(f, s[0])), []byte(parse(f, s[1])), []byte(parse(f, s[2])))
	}
	f.Fuzz(func(t *testing.T, pre, post, other []byte) {
		for _, d := range [][]byte{pre, post, other} {
			if bsonraw.Validate(d, bsonraw.MaxStoredDepth) != nil || repeats(d) {
				return
			}
		}
		diff, ok := Diff(nil, pre, post)
		if !ok {
			return
		}
		if err := bsonraw.Validate(diff, bsonraw.MaxStoredDepth+bsonraw.MaxMessageDepth); err != nil {
			t.Fatalf("the diff %x is no document: %v", diff, err)
		}
		if err := Walk(diff, func(Change) error { return nil }); err != nil {
			t.Fatalf("the diff %s: %v", text(diff), err)
		}
		got, err := ApplyDiff(pre, diff)
		if err != nil || !bytes.Equal(got, post) {
			t.Fatalf("pre  %s\npost %s\ndiff %s\ngives %s, %v", text(pre), text(post), text(diff), text(got), err)
		}
		if got, err := ApplyDiff(other, diff); err == nil && bsonraw.Validate(got, bsonraw.MaxStoredDepth+bsonraw.MaxMessageDepth) != nil {
			t.Fatalf("other %s\ndiff  %s\ngives %x", text(other), text(diff), got)
		}
	})
}

// repeats reports whether a document has a field twice: then a diff cannot name it, and MongoDB's does not try.
func repeats(d bsonraw.Doc) bool {
	seen := map[string]bool{}
	for it := d.Iter(); it.Next(); {
		v := it.Value()
		if seen[string(it.Key())] || (v.Type == bsonraw.TypeDocument || v.Type == bsonraw.TypeArray) && repeats(v.Doc()) {
			return true
		}
		seen[string(it.Key())] = true
	}
	return false
}
