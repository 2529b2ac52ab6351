package oplog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// parse reads relaxed or canonical Extended JSON.
func parse(t testing.TB, text string) bsonraw.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return encode(t, d)
}

func encode(t testing.TB, d bson.D) bsonraw.Doc {
	t.Helper()
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatalf("encode %v: %v", d, err)
	}
	return b
}

func text(d bsonraw.Doc) string { return bson.Raw(d).String() }

// long is a value beside which every small change pays as a diff.
const long = `"oooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo"`

func TestDiff(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, pre, post, want string }{
		{"same", `{"o":LONG}`, `{"o":LONG}`, `{}`},
		{"changed", `{"o":LONG,"a":1}`, `{"o":LONG,"a":2}`, `{"u":{"a":2}}`},
		{"changed type", `{"o":LONG,"a":1}`, `{"o":LONG,"a":{"$numberLong":"1"}}`, `{"u":{"a":{"$numberLong":"1"}}}`},
		{"created", `{"o":LONG}`, `{"o":LONG,"a":2}`, `{"i":{"a":2}}`},
		{"removed", `{"o":LONG,"a":1,"b":2}`, `{"o":LONG}`, `{"d":{"a":false,"b":false}}`},
		{
			"removed ones that were passed come sorted, after those at the end", `{"z":1,"c":1,"o":LONG,"e":1}`, `{"o":LONG}`,
			`{"d":{"e":false,"c":false,"z":false}}`,
		},
		{"moved", `{"o":LONG,"a":1,"b":2,"c":3}`, `{"o":LONG,"b":2,"a":1,"c":3}`, `{"i":{"a":1,"c":3}}`},
		{"nested", `{"o":{"x":1,"y":LONG},"b":1}`, `{"o":{"x":2,"y":LONG},"b":2}`, `{"u":{"b":2},"so":{"u":{"x":2}}}`},
		{"nested value too small for a diff", `{"o":LONG,"n":{"x":1}}`, `{"o":LONG,"n":{"x":2}}`, `{"u":{"n":{"x":2}}}`},
		{"array longer", `{"a":[LONG,1]}`, `{"a":[LONG,2,3]}`, `{"sa":{"a":true,"u1":2,"u2":3}}`},
		{"array shorter", `{"a":[LONG,1,2]}`, `{"a":[LONG,3]}`, `{"sa":{"a":true,"l":2,"u1":3}}`},
		{"array in array", `{"a":[1,[LONG,1]]}`, `{"a":[1,[LONG,2]]}`, `{"sa":{"a":true,"s1":{"a":true,"u1":2}}}`},
		{
			"arrays in arrays", `{"o":1,"p":[[{"c":"12","b":""},5,{"x":4,"a":"t"}],LONG,true]}`,
			`{"o":1,"p":[[{"c":"12","b":"","n":{"q":{}}},{"n":{"q":{}}},{"x":4,"a":"t","n":{"q":{}}}],LONG,{"n":{"q":{}}}]}`,
			`{"sp":{"a":true,"s0":{"a":true,"s0":{"i":{"n":{"q":{}}}},"u1":{"n":{"q":{}}},"s2":{"i":{"n":{"q":{}}}}},"u2":{"n":{"q":{}}}}}`,
		},
		{"object becomes array", `{"o":LONG,"a":{"0":1}}`, `{"o":LONG,"a":[1]}`, `{"u":{"a":[1]}}`},
		{"post as large as the diff", `{"_id":1,"a":1}`, `{"_id":1,"a":2}`, ``},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pre, post := parse(t, strings.ReplaceAll(c.pre, "LONG", long)), parse(t, strings.ReplaceAll(c.post, "LONG", long))
			diff, ok := Diff(nil, pre, post)
			got := ""
			if ok {
				got = text(diff)
			}
			want := c.want
			if want != "" {
				want = text(parse(t, want))
			}
			if got != want {
				t.Fatalf("Diff(%s, %s)\n got %s\nwant %s", c.pre, c.post, got, want)
			}
			if !ok {
				return
			}
			if back, err := ApplyDiff(pre, diff); err != nil || !bytes.Equal(back, post) {
				t.Errorf("ApplyDiff gives %s, %v", text(back), err)
			}
		})
	}
}

// MongoDB keeps a diff when the new document is larger than what the diff counts, not when it is as large.
func TestDiffIsKeptWhenDocumentIsLarger(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		pre := encode(t, bson.D{{Key: "_id", Value: int32(1)}, {Key: "keep", Value: strings.Repeat("x", n)}, {Key: "s", Value: int32(1)}})
		post := encode(t, bson.D{{Key: "_id", Value: int32(1)}, {Key: "keep", Value: strings.Repeat("x", n)}, {Key: "s", Value: int32(2)}})
		const size = entryPadding + objectSize + sectionSize + nameSize + 1 + 4
		if _, ok := Diff(nil, pre, post); ok != (len(post) > size) {
			t.Errorf("a document of %d bytes and a diff that counts %d: diff kept is %t", len(post), size, ok)
		}
	}
}

func TestApplyDiffToSomethingElse(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, pre, diff, want string }{
		{"changed field is absent", `{"b":1}`, `{"u":{"a":1},"i":{"c":2}}`, `{"b":1,"a":1,"c":2}`},
		{"created field exists", `{"a":1,"b":1}`, `{"i":{"a":2}}`, `{"b":1,"a":2}`},
		{"removed field is absent", `{"b":1}`, `{"d":{"a":false}}`, `{"b":1}`},
		{"nested field is absent", `{"b":1}`, `{"sa":{"u":{"x":1}}}`, `{"b":1}`},
		{"nested field is a number", `{"a":1}`, `{"sa":{"u":{"x":1}}}`, `{"a":1}`},
		{"nested field is an array, not an object", `{"a":[1]}`, `{"sa":{"u":{"x":1}}}`, `{"a":[1]}`},
		{"nested field is an object, not an array", `{"a":{"0":1}}`, `{"sa":{"a":true,"u0":2}}`, `{"a":{"0":1}}`},
		{"index beyond the end", `{"a":[1]}`, `{"sa":{"a":true,"u3":2}}`, `{"a":[1,null,null,2]}`},
		{"nested index beyond the end", `{"a":[1]}`, `{"sa":{"a":true,"s3":{"u":{"x":1}}}}`, `{"a":[1]}`},
		{"array longer than the new length", `{"a":[1,2,3]}`, `{"sa":{"a":true,"l":1}}`, `{"a":[1]}`},
		{"array shorter than the new length", `{"a":[1]}`, `{"sa":{"a":true,"l":4}}`, `{"a":[1]}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ApplyDiff(parse(t, c.pre), parse(t, c.diff))
			if err != nil {
				t.Fatal(err)
			}
			if text(got) != text(parse(t, c.want)) {
				t.Errorf("got %s, want %s", text(got), c.want)
			}
		})
	}
}

func TestDiffsWithoutTheFormOfOne(t *testing.T) {
	t.Parallel()
	cases := []struct{ pre, diff, want string }{
		{`{}`, `{"u":1}`, `section "u" is of type int`},
		{`{}`, `{"x":{}}`, `unknown section "x"`},
		{`{}`, `{"":{}}`, `unknown section ""`},
		{`{"a":[]}`, `{"sa":{"a":true,"u":1}}`, `unknown element "u"`},
		{`{"a":[]}`, `{"sa":{"a":true,"":1}}`, `unknown element ""`},
		{`{"a":[]}`, `{"sa":{"a":true,"ux":1}}`, `unknown element "ux"`},
		{`{"a":[]}`, `{"sa":{"a":true,"s1":1}}`, `unknown element "s1"`},
		{`{"a":[]}`, `{"sa":{"a":true,"u99999999999999999999":1}}`, `unknown element`},
		{`{"a":[]}`, `{"sa":{"a":true,"l":-1}}`, `not a length`},
		{`{"a":[]}`, `{"sa":{"a":true,"l":"x"}}`, `not a length`},
	}
	for _, c := range cases {
		t.Run(c.diff, func(t *testing.T) {
			t.Parallel()
			diff := parse(t, c.diff)
			if _, err := ApplyDiff(parse(t, c.pre), diff); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("ApplyDiff: error %v, want one with %q", err, c.want)
			}
			if err := Walk(diff, func(Change) error { return nil }); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Walk: error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := ApplyDiff(parse(t, `{"a":[]}`), parse(t, `{"sa":{"a":true,"u9000000":1}}`)); err == nil {
		t.Error("an array of nine million elements was made")
	}
	if _, err := ApplyDiff(parse(t, `{"a":[1,2]}`), parse(t, `{"sa":{"a":true,"u1":1,"u0":1}}`)); err == nil {
		t.Error("indexes out of order were taken")
	}
}

func TestWalkListsChangesAsUpdateDescription(t *testing.T) {
	t.Parallel()
	diff := parse(t, `{"d":{"r":false},"u":{"a":1,"b.c":2},"i":{"n":{"x":1}},
		"sarr":{"a":true,"l":3,"u0":5,"s2":{"u":{"k":1,"0":2}}},"sobj":{"d":{"5":false},"s1":{"i":{"y":1}}}}`)
	var got []string
	err := Walk(diff, func(c Change) error {
		kind := [...]string{FieldChanged: "changed", FieldCreated: "created", FieldRemoved: "removed", ArrayTruncated: "truncated"}[c.Kind]
		line := kind + " " + string(c.Path.Append(nil))
		switch c.Kind {
		case ArrayTruncated:
			line += fmt.Sprint(" ", c.NewSize)
		case FieldChanged, FieldCreated:
			line += " " + bson.RawValue{Type: bson.Type(c.Value.Type), Value: c.Value.Data}.String()
		}
		if c.Path.Ambiguous() {
			line += " " + text(bsonraw.AppendArray(nil, "", c.Path.AppendComponents(nil))[2:])
		}
		got = append(got, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`changed a {"$numberInt":"1"}`, `changed b.c {"$numberInt":"2"} {"0": "b.c"}`, `created n {"x": {"$numberInt":"1"}}`, `removed r`,
		`truncated arr 3`, `changed arr.0 {"$numberInt":"5"}`, `changed arr.2.k {"$numberInt":"1"}`,
		`changed arr.2.0 {"$numberInt":"2"} {"0": "arr","1": {"$numberInt":"2"},"2": "0"}`,
		`removed obj.5 {"0": "obj","1": "5"}`, `created obj.1.y {"$numberInt":"1"} {"0": "obj","1": "1","2": "y"}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	stop := errors.New("enough")
	n := 0
	if err := Walk(diff, func(Change) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("Walk went on after an error: %v, %d visits", err, n)
	}
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	one, two := bsonraw.Int32Value(1), bsonraw.Int32Value(2)
	b := func(s string) []byte { return []byte(s) }
	var r Recorder
	r.Reset()
	r.Enter(b("idle"), false)
	r.Enter(b("deep"), true)
	r.Leave()
	r.Leave()
	if !r.Empty() || text(r.Append(nil)) != `{}` {
		t.Errorf("going somewhere without a change records %s", text(r.Append(nil)))
	}
	r.Insert(b("new"), one)
	r.Enter(b("arr"), true)
	r.UpdateIndex(10, one)
	r.EnterIndex(9, false)
	r.Update(b("x"), two)
	r.Leave()
	r.UpdateIndex(0, two)
	r.Leave()
	r.Update(b("old"), two)
	r.Enter(b("obj"), false)
	r.Delete(b("y"))
	r.Leave()
	r.DeletePath([][]byte{b("obj"), b("sub"), b("z")})
	r.DeletePath([][]byte{b("top")})
	got := text(r.Append(nil))
	want := text(parse(t, `{"d":{"top":false},"u":{"old":2},"i":{"new":1},
		"sarr":{"a":true,"u0":2,"s9":{"u":{"x":2}},"u10":1},"sobj":{"d":{"y":false},"ssub":{"d":{"z":false}}}}`))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if entry := r.AppendEntry(nil); !bytes.Equal(entry, AppendEntry(nil, r.Append(nil))) || bsonraw.Validate(entry, 10) != nil {
		t.Errorf("AppendEntry gives %s", text(entry))
	}
	if diff, ok := EntryDiff(r.AppendEntry(nil)); !ok || text(diff) != want {
		t.Errorf("EntryDiff gives %s, %t", text(diff), ok)
	}
	if _, ok := EntryDiff(parse(t, `{"_id":1,"diff":{}}`)); ok {
		t.Error("a document was taken for a diff")
	}
	var off *Recorder
	off.Enter(b("a"), false)
	off.Update(b("x"), one)
	off.Leave()
}

// documents draws small documents of few names, so that two of them have much in common.
func documents(depth int) *rapid.Generator[bson.D] {
	return rapid.Custom(func(t *rapid.T) bson.D {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "1", "0", "longer name", "e.f", ""}), 0, 6, rapid.ID).Draw(t, "names")
		d := bson.D{}
		for _, name := range names {
			d = append(d, bson.E{Key: name, Value: values(depth).Draw(t, name)})
		}
		return d
	})
}

func values(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.SampledFrom([]any{nil, true, int32(1), int64(1), 1.0, "s", strings.Repeat("long ", 12), bson.MinKey{}, bson.Regex{Pattern: "x"}}),
		rapid.Int32Range(0, 3).AsAny(),
	}
	if depth <= 0 {
		return rapid.OneOf(scalars...)
	}
	arrays := rapid.Custom(func(t *rapid.T) bson.A { return rapid.SliceOfN(values(depth-1), 0, 5).Draw(t, "array") })
	return rapid.OneOf(append(scalars, documents(depth-1).AsAny(), arrays.AsAny())...)
}

func TestApplyDiffInvertsDiff(t *testing.T) {
	t.Parallel()
	kept := 0
	rapid.Check(t, func(r *rapid.T) {
		padding := bson.E{Key: "padding", Value: strings.Repeat("p", rapid.IntRange(0, 200).Draw(r, "padding"))}
		pre := encode(t, append(bson.D{padding}, documents(3).Draw(r, "pre")...))
		post := encode(t, append(bson.D{padding}, documents(3).Draw(r, "post")...))
		diff, ok := Diff([]byte("before"), pre, post)
		if !ok {
			return
		}
		kept++
		if string(diff[:6]) != "before" {
			r.Fatalf("Diff does not append")
		}
		diff = diff[6:]
		if err := bsonraw.Validate(diff, bsonraw.MaxMessageDepth); err != nil {
			r.Fatalf("diff %s: %v", text(diff), err)
		}
		if len(diff) > len(post)+entryPadding {
			r.Fatalf("diff of %d bytes for a document of %d", len(diff), len(post))
		}
		got, err := ApplyDiff(pre, diff)
		if err != nil || !bytes.Equal(got, post) {
			r.Fatalf("pre %s\ndiff %s\n got %s, %v\nwant %s", text(pre), text(diff), text(got), err, text(post))
		}
		again, err := ApplyDiff(post, diff)
		if err != nil || bsonraw.Validate(again, bsonraw.MaxMessageDepth) != nil {
			r.Fatalf("applied again: %s, %v", text(again), err)
		}
	})
	if kept == 0 {
		t.Error("no diff was ever kept")
	}
}

func FuzzApplyDiff(f *testing.F) {
	for _, s := range [][2]string{
		{`{"a":1,"b":[1,2,{"x":1}],"c":{"d":1}}`, `{"d":{"a":false},"u":{"q":1},"i":{"a":2},"sb":{"a":true,"l":2,"u1":9,"u7":1},"sc":{"d":{"d":false}}}`},
		{`{"b":[1,[2,3]]}`, `{"sb":{"a":true,"s1":{"a":true,"u1":1,"u0":2}}}`},
		{`{}`, `{"u":{"x":1},"z":1}`},
	} {
		f.Add([]byte(parse(f, s[0])), []byte(parse(f, s[1])))
	}
	f.Fuzz(func(t *testing.T, pre, diff []byte) {
		if bsonraw.Validate(diff, bsonraw.MaxMessageDepth) != nil {
			return
		}
		walked := Walk(diff, func(c Change) error {
			if len(c.Path.Append(nil)) > len(diff) || c.Path.AppendComponents(nil) == nil {
				return errors.New("path that is longer than the diff")
			}
			return nil
		})
		if bsonraw.Validate(pre, bsonraw.MaxStoredDepth) != nil {
			return
		}
		out, err := ApplyDiff(pre, diff)
		if err != nil {
			return
		}
		if err := bsonraw.Validate(out, bsonraw.MaxStoredDepth+bsonraw.MaxMessageDepth); err != nil {
			t.Fatalf("ApplyDiff made %x: %v", out, err)
		}
		if walked == nil {
			if again, err := ApplyDiff(out, diff); err != nil || bsonraw.Validate(again, bsonraw.MaxStoredDepth+bsonraw.MaxMessageDepth) != nil {
				t.Fatalf("applied again: %x, %v", again, err)
			}
		}
	})
}

func BenchmarkDiff(b *testing.B) {
	pre := parse(b, `{"_id":1,"a":1,"b":{"c":"some text","d":[1,2,3,4,5]},"o":`+long+`}`)
	post := parse(b, `{"_id":1,"a":2,"b":{"c":"some text","d":[1,2,3,4,6]},"o":`+long+`}`)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = Diff(dst[:0], pre, post)
	}
}
