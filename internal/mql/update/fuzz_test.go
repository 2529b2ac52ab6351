package update

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// FuzzUpdate takes a document {doc, update, filters, position, insert} and holds the outcome to what is always true.
func FuzzUpdate(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		for i, c := range readGolden(f, path) {
			if i%5 == 0 && c.fields["doc"] != "" {
				seed, at := bsonraw.BeginDoc(nil)
				seed = bsonraw.AppendValue(seed, "doc", parseValue(f, c.fields["doc"]))
				seed = bsonraw.AppendValue(seed, "update", parseValue(f, c.fields["update"]))
				if c.fields["filters"] != "" {
					seed = bsonraw.AppendValue(seed, "filters", parseValue(f, c.fields["filters"]))
				}
				f.Add(bsonraw.EndDoc(seed, at), i%3-1, i%2 == 0)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, position int, insert bool) {
		if bsonraw.Validate(b, bsonraw.MaxMessageDepth) != nil {
			return
		}
		whole := bsonraw.Doc(b)
		in := Input{Doc: whole.Lookup("doc").Doc(), Position: position % 8, Insert: insert}
		if whole.Lookup("doc").Type != bsonraw.TypeDocument || bsonraw.Validate(in.Doc, bsonraw.MaxStoredDepth) != nil {
			return
		}
		var opts Options
		if v := whole.Lookup("filters"); v.Type == bsonraw.TypeArray {
			opts.ArrayFilters = v.Doc()
		}
		before := bytes.Clone(b)
		u, err := Compile(whole.Lookup("update"), opts)
		if err != nil {
			return
		}
		defer u.Release()
		out, err := u.Apply(in)
		if !bytes.Equal(before, b) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			return
		}
		checkOutcome(t, u, in, out)
	})
}

// failer is what tests and drawn properties have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkOutcome(t failer, u *Update, in Input, out Outcome) {
	t.Helper()
	if err := bsonraw.Validate(out.Doc, bsonraw.MaxStoredDepth); err != nil {
		t.Fatalf("result %x: %v", out.Doc, err)
	}
	switch {
	case in.Insert:
		if out.NoOp || out.Entry != nil || out.NeedsID != out.Doc.Lookup(idField).IsMissing() {
			t.Fatalf("insert: %+v", out)
		}
	case out.NoOp:
		if !bytes.Equal(out.Doc, in.Doc) || out.Entry != nil {
			t.Fatalf("no change, but document %s and entry %s", show(out.Doc), show(out.Entry))
		}
	default:
		if err := bsonraw.Validate(out.Entry, bsonraw.MaxMessageDepth+bsonraw.MaxStoredDepth); err != nil {
			t.Fatalf("entry %x: %v", out.Entry, err)
		}
	}
	diff, ok := oplog.EntryDiff(out.Entry)
	if !ok || u.IsPipeline() || repeats(in.Doc.Value()) {
		return
	}
	after, err := oplog.ApplyDiff(in.Doc, diff)
	if err != nil || !sameBesidesIndexes(after.Value(), out.Doc.Value()) {
		t.Fatalf("document %s\nresult %s\nentry %s\nleads to %s, %v", show(in.Doc), show(out.Doc), show(diff), show(after), err)
	}
}

// repeats reports whether an object has a name twice, which a diff cannot tell apart.
func repeats(v bsonraw.Value) bool {
	if v.Type != bsonraw.TypeDocument && v.Type != bsonraw.TypeArray {
		return false
	}
	seen := map[string]bool{}
	for it := v.Doc().Iter(); it.Next(); {
		if v.Type == bsonraw.TypeDocument && seen[string(it.Key())] || repeats(it.Value()) {
			return true
		}
		seen[string(it.Key())] = true
	}
	return false
}

// sameBesidesIndexes compares values, but not how the elements of arrays are named: a client may send any names, and what is
// rewritten gets the right ones.
func sameBesidesIndexes(a, b bsonraw.Value) bool {
	if a.Type != b.Type {
		return false
	}
	if a.Type != bsonraw.TypeDocument && a.Type != bsonraw.TypeArray {
		return a.Same(b)
	}
	x, y := a.Doc().Iter(), b.Doc().Iter()
	for {
		moreX, moreY := x.Next(), y.Next()
		if !moreX || !moreY {
			return moreX == moreY
		}
		if a.Type == bsonraw.TypeDocument && !bytes.Equal(x.Key(), y.Key()) || !sameBesidesIndexes(x.Value(), y.Value()) {
			return false
		}
	}
}
