package bsonraw_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

type keyVector struct {
	value      bsonraw.Value
	key, types []byte
}

func keyVectors(t testing.TB) []keyVector {
	t.Helper()
	f, err := os.Open("testdata/keystring.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []keyVector
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.TrimPrefix(s, "-"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[0] == "#" {
			continue
		}
		all = append(all, keyVector{bsonraw.Doc(unhex(fields[0])).Lookup("_id"), unhex(fields[1]), unhex(fields[2])})
	}
	if len(all) < 500 {
		t.Fatalf("read %d vectors, want more than 500", len(all))
	}
	return all
}

// The vectors come from a real server: what a client stores and compares must be the same bytes.
func TestKeyIsWhatMongoDBWrites(t *testing.T) {
	t.Parallel()
	one := bsonraw.Int32Value(1)
	for _, v := range keyVectors(t) {
		if got := bsonraw.AppendKey(nil, v.value); !bytes.Equal(got, v.key) {
			t.Errorf("key of %s %x\n got %X\nwant %X", v.value.Type.Name(), v.value.Data, got, v.key)
		}
		var b bsonraw.KeyBuilder
		for range 3 {
			b.Append(one)
		}
		b.Append(v.value)
		if got := b.AppendTypeBits(nil); !bytes.Equal(got, v.types) {
			t.Errorf("type bits of %s %x: got %x, want %x", v.value.Type.Name(), v.value.Data, got, v.types)
		}
	}
}

func TestKeyReaderGivesBackTheValue(t *testing.T) {
	t.Parallel()
	for _, v := range keyVectors(t) {
		checkKeyRoundTrip(t, v.value)
	}
}

func TestKeyOrderOfVectors(t *testing.T) {
	t.Parallel()
	vectors := keyVectors(t)
	for i, a := range vectors {
		// Each with some of the others: all types meet all others.
		for k := i % 7; k < len(vectors); k += 7 {
			checkKeyOrder(t, a.value, vectors[k].value)
		}
	}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkKeyRoundTrip(t fataler, v bsonraw.Value) {
	t.Helper()
	var b bsonraw.KeyBuilder
	b.Append(v)
	types := b.AppendTypeBits(nil)
	r, err := bsonraw.NewKeyReader(append(bytes.Clone(b.Key()), bsonraw.KeyEnd), types)
	if err != nil {
		t.Fatalf("type bits %x: %v", types, err)
	}
	got, err := r.Next()
	if err != nil {
		t.Fatalf("%s %x, key %X, types %x: %v", v.Type.Name(), v.Data, b.Key(), types, err)
	}
	if want := canonicalKeyValue(v); !got.Same(want) {
		t.Fatalf("%s %x came back as %s %x", want.Type.Name(), want.Data, got.Type.Name(), got.Data)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) || len(r.Rest()) != 0 {
		t.Fatalf("after the value: %v, %d bytes left", err, len(r.Rest()))
	}
}

// canonicalKeyValue gives NaNs the one form that keys keep, at the top level only: nested ones are not generated.
func canonicalKeyValue(v bsonraw.Value) bsonraw.Value {
	if v.Type == bsonraw.TypeDouble && v.Double() != v.Double() {
		return bsonraw.DoubleValue(math.NaN())
	}
	if v.Type == bsonraw.TypeMissing {
		return bsonraw.NullValue
	}
	return v
}

func checkKeyOrder(t fataler, a, b bsonraw.Value) {
	t.Helper()
	want := bsonraw.Compare(a, b)
	ka, kb := bsonraw.AppendKey(nil, a), bsonraw.AppendKey(nil, b)
	if got := bytes.Compare(ka, kb); got != want {
		t.Fatalf("%s %x and %s %x: keys compare %d, values %d\n%X\n%X", a.Type.Name(), a.Data, b.Type.Name(), b.Data, got, want, ka, kb)
	}
	da := append(bsonraw.AppendKeyDescending(nil, a), bsonraw.KeyEnd)
	db := append(bsonraw.AppendKeyDescending(nil, b), bsonraw.KeyEnd)
	if got := bytes.Compare(da, db); got != -want {
		t.Fatalf("%s %x and %s %x: descending keys compare %d, values %d", a.Type.Name(), a.Data, b.Type.Name(), b.Data, got, want)
	}
	if want != 0 && (bytes.HasPrefix(ka, kb) || bytes.HasPrefix(kb, ka)) && a.Type != bsonraw.TypeString {
		t.Fatalf("one key is a prefix of the other: %X, %X", ka, kb)
	}
}

func TestKeyOrderIsTheOrderOfValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := keyValue(3).Draw(t, "a")
		b := keyValue(3).Draw(t, "b")
		checkKeyOrder(t, a, b)
		checkKeyRoundTrip(t, a)
		checkKeyRoundTrip(t, b)
	})
}

func TestKeyOrderOfNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := keyNumber().Draw(t, "a")
		checkKeyOrder(t, a, keyNumber().Draw(t, "b"))
		checkKeyOrder(t, a, keyNeighbour(t, a))
		checkKeyRoundTrip(t, a)
	})
}

// Keys one behind the other compare as tuples do, in any mix of directions.
func TestConcatenatedKeysCompareAsTuples(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "n")
		var ka, kb []byte
		want := 0
		for range n {
			a, b := keyValue(1).Draw(t, "a"), keyValue(1).Draw(t, "b")
			if rapid.Bool().Draw(t, "same") {
				b = a
			}
			c := bsonraw.Compare(a, b)
			if rapid.Bool().Draw(t, "descending") {
				ka, kb, c = bsonraw.AppendKeyDescending(ka, a), bsonraw.AppendKeyDescending(kb, b), -c
			} else {
				ka, kb = bsonraw.AppendKey(ka, a), bsonraw.AppendKey(kb, b)
			}
			if want == 0 {
				want = c
			}
		}
		ka, kb = append(ka, bsonraw.KeyEnd), append(kb, bsonraw.KeyEnd)
		if got := bytes.Compare(ka, kb); got != want {
			t.Fatalf("keys compare %d, tuples %d\n%X\n%X", got, want, ka, kb)
		}
	})
}

var awkwardDoubles = []float64{
	0, math.Copysign(0, -1), 1, 0.5, 1.5, 1 << 53, 1<<53 - 1, 1 << 62, 1 << 63, 1 << 64, 0x1p-255, 0x1p-256, 0x1p-1022,
	0x1p-1074, math.MaxFloat64, math.Inf(1), math.NaN(), 0.1, 1e15, 1e15 + 0.5,
}

func keyNumber() *rapid.Generator[bsonraw.Value] {
	return rapid.Custom(func(t *rapid.T) bsonraw.Value {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return bsonraw.Int32Value(rapid.Int32().Draw(t, "int"))
		case 1:
			return bsonraw.Int64Value(rapid.Int64().Draw(t, "long"))
		case 2:
			return bsonraw.DoubleValue(rapid.Float64().Draw(t, "double"))
		case 3:
			f := rapid.SampledFrom(awkwardDoubles).Draw(t, "awkward")
			for range rapid.IntRange(0, 2).Draw(t, "steps") {
				f = math.Nextafter(f, 0)
			}
			return bsonraw.DoubleValue(math.Copysign(f, float64(rapid.SampledFrom([]int{1, -1}).Draw(t, "sign"))))
		case 4: // a small decimal
			s := rapid.StringMatching(`-?[0-9]{1,17}(\.[0-9]{1,17})?`).Draw(t, "decimal")
			return decimalOf(t, s)
		}
		s := rapid.StringMatching(`-?[1-9][0-9]{0,33}`).Draw(t, "digits")
		e := rapid.SampledFrom([]string{"0", "-17", "-33", "-34", "-35", "5", "290", "-300", "-340", "-342", "-356", "6000", "-6176", "275", "-110"}).Draw(t, "exponent")
		return decimalOf(t, s+"E"+e)
	})
}

func decimalOf(t fataler, s string) bsonraw.Value {
	t.Helper()
	d, err := bson.ParseDecimal128(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return driverValue(t, d)
}

func driverValue(t fataler, v any) bsonraw.Value {
	t.Helper()
	doc, err := bson.Marshal(bson.D{{Key: "v", Value: v}})
	if err != nil {
		t.Fatalf("%v: %v", v, err)
	}
	return bsonraw.Doc(doc).Lookup("v")
}

// keyNeighbour gives a number of another type as near to v as that type allows.
func keyNeighbour(t *rapid.T, v bsonraw.Value) bsonraw.Value {
	switch rapid.IntRange(0, 2).Draw(t, "neighbour") {
	case 0:
		n, _ := v.AsInt64()
		return bsonraw.Int64Value(n)
	case 1:
		f, _ := v.AsFloat64()
		return bsonraw.DoubleValue(f)
	}
	f, _ := v.AsFloat64()
	if f != f || math.IsInf(f, 0) {
		return decimalOf(t, "NaN")
	}
	d, err := bson.ParseDecimal128(strconv.FormatFloat(f, 'e', 33, 64))
	if err != nil {
		return bsonraw.DoubleValue(f)
	}
	return driverValue(t, d)
}

func keyValue(depth int) *rapid.Generator[bsonraw.Value] {
	return rapid.Custom(func(t *rapid.T) bsonraw.Value {
		kinds := 12
		if depth == 0 {
			kinds = 9
		}
		switch rapid.IntRange(0, kinds).Draw(t, "type") {
		case 0, 1:
			return keyNumber().Draw(t, "number")
		case 2, 3:
			return bsonraw.StringValue(rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 'a', 'b', 0xFF, 0x10FFFF}), 0, 4, -1).Draw(t, "string"))
		case 4:
			return bsonraw.BoolValue(rapid.Bool().Draw(t, "bool"))
		case 5:
			return rapid.SampledFrom([]bsonraw.Value{{}, bsonraw.NullValue, {Type: bsonraw.TypeMinKey}, {Type: bsonraw.TypeMaxKey}, {Type: bsonraw.TypeUndefined}}).Draw(t, "simple")
		case 6:
			return bsonraw.DateValue(rapid.Int64().Draw(t, "date"))
		case 7:
			return bsonraw.TimestampValue(rapid.Uint64().Draw(t, "timestamp"))
		case 8:
			b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
			return bsonraw.Doc(keyDoc(bsonraw.AppendBinary(nil, "v", rapid.SampledFrom([]byte{0, 4, 5, 128}).Draw(t, "subtype"), b))).Lookup("v")
		case 9:
			return driverValue(t, rapid.SampledFrom([]any{
				bson.Regex{Pattern: "a", Options: "i"},
				bson.Regex{Pattern: "ab"},
				bson.Regex{},
				bson.Symbol("a"), bson.JavaScript("a"), bson.JavaScript("a\x00"),
				bson.CodeWithScope{Code: "a", Scope: bson.D{{Key: "x", Value: int32(1)}}},
				bson.DBPointer{DB: "a.b"},
				bson.ObjectID{1},
				bson.ObjectID{2},
			}).Draw(t, "rare"))
		}
		n := rapid.IntRange(0, 3).Draw(t, "elements")
		if rapid.Bool().Draw(t, "array") {
			a := bsonraw.BeginArray(nil)
			for range n {
				a.Append(nestedKeyValue(t, depth))
			}
			return bsonraw.Value{Type: bsonraw.TypeArray, Data: a.End()}
		}
		var elems []byte
		for range n {
			name := rapid.SampledFrom([]string{"", "a", "b", "ab", "\u00ff"}).Draw(t, "name")
			elems = bsonraw.AppendValue(elems, name, nestedKeyValue(t, depth))
		}
		return bsonraw.Doc(keyDoc(elems)).Value()
	})
}

func nestedKeyValue(t *rapid.T, depth int) bsonraw.Value {
	return canonicalKeyValue(keyValue(depth-1).Draw(t, "nested"))
}

func keyDoc(elems []byte) []byte {
	dst, at := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(append(dst, elems...), at)
}

// Any bytes give an error or valid values, whose keys give the same values again; never a panic.
func FuzzKeyReader(f *testing.F) {
	for i, v := range keyVectors(f) {
		if i%7 == 0 {
			f.Add(v.key, v.types)
		}
	}
	f.Add(bytes.Repeat([]byte{0x50}, 1000), []byte(nil))
	f.Add([]byte{0x5A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, []byte{0x80, 1, 0, 0, 0, 0})
	f.Add(append([]byte{0x5A, 16, 2}, bytes.Repeat([]byte{'0'}, 16)...), []byte(nil)) // an old binary whose inner length is wrong
	f.Fuzz(func(t *testing.T, key, types []byte) {
		r, err := bsonraw.NewKeyReader(key, types)
		for err == nil {
			var v bsonraw.Value
			if v, err = r.Next(); err != nil {
				break
			}
			if err := bsonraw.Validate(keyDoc(bsonraw.AppendValue(nil, "v", v)), bsonraw.MaxMessageDepth+2); err != nil {
				t.Fatalf("key %X gives invalid BSON: %v", key, err)
			}
			checkKeyRoundTrip(t, v)
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, bsonraw.ErrKey) {
			t.Fatalf("unexpected error %v", err)
		}
	})
}

// The same with the comparison of two values taken from arbitrary documents.
func FuzzKeyOrder(f *testing.F) {
	vectors := keyVectors(f)
	for i := 0; i+11 < len(vectors); i += 11 {
		f.Add(keyDoc(bsonraw.AppendValue(nil, "v", vectors[i].value)), keyDoc(bsonraw.AppendValue(nil, "v", vectors[i+11].value)))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if bsonraw.Validate(a, bsonraw.MaxStoredDepth) != nil || bsonraw.Validate(b, bsonraw.MaxStoredDepth) != nil {
			return
		}
		x, y := bsonraw.AppendKey(nil, bsonraw.Doc(a).Value()), bsonraw.AppendKey(nil, bsonraw.Doc(b).Value())
		if got, want := bytes.Compare(x, y), bsonraw.CompareDocs(a, b); got != want {
			t.Fatalf("keys compare %d, documents %d\n%X\n%X", got, want, x, y)
		}
	})
}

func BenchmarkAppendKey(b *testing.B) {
	for _, c := range []struct {
		name string
		v    any
	}{{"objectId", bson.ObjectID{1}}, {"int", int32(77)}, {"double", 1.5}, {"string", "customer-4711"}, {"document", bson.D{{Key: "a", Value: 1}, {Key: "b", Value: "x"}}}, {"decimal", mustDecimal("12.50")}} {
		b.Run(c.name, func(b *testing.B) {
			v := driverValue(b, c.v)
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = bsonraw.AppendKey(dst[:0], v)
			}
		})
	}
}

func mustDecimal(s string) bson.Decimal128 {
	d, err := bson.ParseDecimal128(s)
	if err != nil {
		panic(err)
	}
	return d
}
