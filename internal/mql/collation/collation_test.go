package collation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

func document(t testing.TB, text string) bsonraw.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatalf("marshal %s: %v", text, err)
	}
	return b
}

func parse(t testing.TB, text string) *collation.Collation {
	t.Helper()
	c, err := collation.Parse(document(t, text), "collation")
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return c
}

// TestOrder holds the orders to those that mongod 6.0.5 gave for the words in testdata/order.txt.
func TestOrder(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/order.txt")
	if err != nil {
		t.Fatal(err)
	}
	for pair := range strings.SplitSeq(string(text), "\n> ") {
		spec, s, ok := strings.Cut(pair, "\n< ")
		if !ok {
			continue // the first line says what the file is
		}
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			var classes [][]string
			if err := json.Unmarshal([]byte(s), &classes); err != nil {
				t.Fatalf("read the classes: %v", err)
			}
			checkOrder(t, parse(t, spec), classes)
		})
	}
}

func checkOrder(t *testing.T, c *collation.Collation, classes [][]string) {
	t.Helper()
	type word struct {
		value        bsonraw.Value
		class        int
		key, falling []byte
	}
	var words []word
	for i, class := range classes {
		for _, text := range class {
			v := bsonraw.StringValue(text)
			words = append(words, word{v, i, c.AppendKey(nil, v), append(c.AppendKeyDescending(nil, v), bsonraw.KeyEnd)})
		}
	}
	for _, a := range words {
		operand := c.Operand(a.value)
		for _, b := range words {
			want := min(max(a.class-b.class, -1), 1)
			if got := c.Compare(a.value, b.value); got != want {
				t.Errorf("Compare(%s, %s) = %d, want %d", a.value.Shell(), b.value.Shell(), got, want)
			}
			if got := operand.Compare(b.value); got != -want {
				t.Errorf("Operand(%s).Compare(%s) = %d, want %d", a.value.Shell(), b.value.Shell(), got, -want)
			}
			if got := c.Equal(a.value, b.value); got != (want == 0) {
				t.Errorf("Equal(%s, %s) = %t", a.value.Shell(), b.value.Shell(), got)
			}
			if got := bytes.Compare(a.key, b.key); got != want {
				t.Errorf("keys of %s and %s compare as %d, want %d", a.value.Shell(), b.value.Shell(), got, want)
			}
			if got := bytes.Compare(a.falling, b.falling); got != -want {
				t.Errorf("descending keys of %s and %s compare as %d, want %d", a.value.Shell(), b.value.Shell(), got, -want)
			}
		}
	}
}

// TestValues compares other values than strings, and strings within them.
func TestValues(t *testing.T) {
	t.Parallel()
	c := parse(t, `{"locale": "en", "strength": 2}`)
	for _, test := range []struct {
		a, b string
		want int
	}{
		{`{"v": "a"}`, `{"v": 5}`, 1},
		{`{"v": 5}`, `{"v": 5.5}`, -1},
		{`{"v": {"x": "A"}}`, `{"v": {"x": "a"}}`, 0},
		{`{"v": {"x": "A"}}`, `{"v": {"X": "a"}}`, 1},
		{`{"v": {"x": "b"}}`, `{"v": {"x": "B", "y": 1}}`, -1},
		{`{"v": {"x": "b", "y": 2}}`, `{"v": {"x": "B", "y": 1}}`, 1},
		{`{"v": {"x": "b"}}`, `{"v": {"x": 1}}`, 1},
		{`{"v": ["a", "C"]}`, `{"v": ["A", "b"]}`, 1},
		{`{"v": [["a"]]}`, `{"v": [["A"]]}`, 0},
		{`{"v": []}`, `{"v": ["A"]}`, -1},
		{`{"v": {"$symbol": "a"}}`, `{"v": "A"}`, 0},
		{`{"v": {"$code": "a"}}`, `{"v": {"$code": "A"}}`, 1},
		{`{"v": {"$regularExpression": {"pattern": "a", "options": ""}}}`, `{"v": {"$regularExpression": {"pattern": "A", "options": ""}}}`, 1},
	} {
		a, b := document(t, test.a).Lookup("v"), document(t, test.b).Lookup("v")
		if got := c.Compare(a, b); got != test.want {
			t.Errorf("Compare(%s, %s) = %d, want %d", test.a, test.b, got, test.want)
		}
		if got := c.Compare(b, a); got != -test.want {
			t.Errorf("Compare(%s, %s) = %d, want %d", test.b, test.a, got, -test.want)
		}
		if got := bytes.Compare(c.AppendKey(nil, a), c.AppendKey(nil, b)); got != test.want {
			t.Errorf("keys of %s and %s compare as %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

// TestParseErrors lists documents that are refused; but for CommandNotSupported the errors are mongod's.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		spec string
		code mongoerr.Code
		msg  string
	}{
		{`{}`, 40414, "BSON field 'collation.locale' is missing but a required field"},
		{`{"locale": 1}`, 14, "BSON field 'collation.locale' is the wrong type 'int', expected type 'string'"},
		{`{"locale": ""}`, 2, `Field 'locale' cannot be the empty string in: { locale: "" }`},
		{`{"locale": "xx"}`, 2, `Field 'locale' is invalid in: { locale: "xx" }`},
		{`{"locale": "en-US"}`, 2, `Field 'locale' is invalid in: { locale: "en-US" }. Did you mean 'en_US'?`},
		{`{"locale": "EN"}`, 2, `Field 'locale' is invalid in: { locale: "EN" }. Did you mean 'en'?`},
		{`{"locale": "fr_FR"}`, 2, `Field 'locale' is invalid in: { locale: "fr_FR" }. Did you mean 'fr'?`},
		{`{"locale": "de@collation=foo"}`, 2, `Field 'locale' is invalid in: { locale: "de@collation=foo" }. Did you mean 'de'?`},
		{`{"locale": "simple", "strength": "x"}`, 14, "BSON field 'collation.strength' is the wrong type 'string', expected types '[long, int, decimal, double']"},
		{`{"locale": "en", "strength": 0}`, 2, "Enumeration value '0' for field 'collation.strength' is not a valid value."},
		{`{"locale": "en", "strength": 6}`, 51024, "BSON field 'strength' value must be <= 5, actual value '6'"},
		{`{"locale": "en", "strength": -1}`, 51024, "BSON field 'strength' value must be >= 0, actual value '-1'"},
		{`{"locale": "en", "caseLevel": 1}`, 14, "BSON field 'collation.caseLevel' is the wrong type 'int', expected type 'bool'"},
		{`{"locale": "en", "caseFirst": "x"}`, 2, "Enumeration value 'x' for field 'collation.caseFirst' is not a valid value."},
		{`{"locale": "en", "alternate": "x"}`, 2, "Enumeration value 'x' for field 'collation.alternate' is not a valid value."},
		{`{"locale": "en", "maxVariable": "x"}`, 2, "Enumeration value 'x' for field 'collation.maxVariable' is not a valid value."},
		{`{"locale": "en", "version": "58"}`, 161, `Requested collation version 58 but the only available collator version was 57.1. Requested collation spec: { locale: "en", version: "58" }`},
		{`{"locale": "en", "foo": 1}`, 40415, "BSON field 'collation.foo' is an unknown field."},
		{`{"locale": "en", "caseFirst": "upper", "strength": 1}`, 2, `'caseFirst' is invalid unless 'caseLevel' is on or 'strength' is greater than 2 in: { locale: "en", caseFirst: "upper", strength: 1 }`},
		{`{"locale": "en", "backwards": true, "strength": 1}`, 2, `'backwards' is invalid with 'strength' of 1 in: { locale: "en", backwards: true, strength: 1 }`},
		{`{"locale": "fr_CA", "strength": 1}`, 2, `'backwards' is invalid with 'strength' of 1 in: { locale: "fr_CA", strength: 1 }`},
		{`{"locale": "en", "strength": 4}`, 115, "collation.strength: a strength above 3 is not supported by this server; use 1, 2 or 3"},
		{`{"locale": "en", "caseFirst": "upper"}`, 115, "collation.caseFirst: 'upper' is not supported by this server; use 'off'"},
		{`{"locale": "en", "alternate": "shifted"}`, 115, "collation.alternate: 'shifted' is not supported by this server; use 'non-ignorable'"},
		{`{"locale": "ru"}`, 115, "collation.locale: 'ru' is not supported by this server; its order is not available"},
	} {
		c, err := collation.Parse(document(t, test.spec), "collation")
		if e := mongoerr.From(err); err == nil || e.Code != test.code || e.Msg != test.msg {
			t.Errorf("Parse(%s) = %v, %v\nwant %d %s", test.spec, c, err, test.code, test.msg)
		}
	}
}

func TestParseDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"locale": "simple"}`, `{"locale": "simple", "strength": 1}`} {
		if c := parse(t, text); c != nil {
			t.Errorf("Parse(%s) = %v, want the simple collation", text, c)
		}
	}
	for spec, want := range map[string]string{
		`{"locale": "en"}`: `{ locale: "en", caseLevel: false, caseFirst: "off", strength: 3, numericOrdering: false, ` +
			`alternate: "non-ignorable", maxVariable: "punct", normalization: false, backwards: false, version: "57.1" }`,
		`{"locale": "fr_CA", "strength": 2.9, "version": "57.1", "caseLevel": null}`: `{ locale: "fr_CA", caseLevel: false, caseFirst: "off", ` +
			`strength: 2, numericOrdering: false, alternate: "non-ignorable", maxVariable: "punct", normalization: false, backwards: true, version: "57.1" }`,
	} {
		if got := parse(t, spec).Doc().Shell(); got != want {
			t.Errorf("Doc of %s:\n got %s\nwant %s", spec, got, want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c := parse(t, `{"locale": "en", "strength": 1, "caseLevel": true, "numericOrdering": true}`)
	a, b := bsonraw.StringValue("Résumé 10"), bsonraw.StringValue("Resume 010")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got := c.Compare(a, b); got != 0 {
					t.Errorf("Compare = %d, want 0", got)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzCompare holds orders to their laws, and keys to comparisons, whatever the bytes.
func FuzzCompare(f *testing.F) {
	for _, seed := range [][3]string{{"a", "A", "á"}, {"", "\x00", "\xff"}, {"0", "00", "٣"}, {"e\u0301A", "éa", "ǆ"}, {"a\u0301\u0316\u0301", "\u0301", "ﬁ"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	var all []*collation.Collation
	for _, spec := range []string{
		`{"locale": "en"}`, `{"locale": "sv", "strength": 1, "caseLevel": true}`, `{"locale": "hu", "numericOrdering": true}`,
		`{"locale": "fr_CA", "caseLevel": true, "numericOrdering": true}`,
	} {
		all = append(all, parse(f, spec))
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		values := []bsonraw.Value{bsonraw.StringValue(a), bsonraw.StringValue(b), bsonraw.StringValue(c)}
		for _, by := range all {
			slices.SortFunc(values, by.Compare)
			for i, x := range values {
				for j, y := range values {
					order := by.Compare(x, y)
					if order != -by.Compare(y, x) || i < j && order > 0 {
						t.Fatalf("%s and %s are in no order", x.Shell(), y.Shell())
					}
					if got := bytes.Compare(by.AppendKey(nil, x), by.AppendKey(nil, y)); got != order {
						t.Fatalf("keys of %s and %s compare as %d, the strings as %d", x.Shell(), y.Shell(), got, order)
					}
				}
			}
		}
	})
}

// FuzzParse feeds Parse any document.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"locale": "en"}`, `{"locale": "hu", "strength": 1.5}`, `{"strength": {"$numberDecimal": "NaN"}}`} {
		f.Add([]byte(document(f, seed)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := collation.Parse(b, "collation"); err == nil && c != nil {
			if again, err := collation.Parse(c.Doc(), "collation"); err != nil || !bytes.Equal(again.Doc(), c.Doc()) {
				t.Fatalf("the completed document %s is another collation: %v", c.Doc().Shell(), err)
			}
		}
	})
}

func BenchmarkOperand(b *testing.B) {
	for _, strength := range []int{1, 3} {
		b.Run(fmt.Sprintf("strength=%d", strength), func(b *testing.B) {
			c := parse(b, fmt.Sprintf(`{"locale": "en", "strength": %d}`, strength))
			operand, v := c.Operand(bsonraw.StringValue("customer")), bsonraw.StringValue("Customer")
			for b.Loop() {
				operand.Compare(v)
			}
		})
	}
}

func BenchmarkOperandParallel(b *testing.B) {
	c := parse(b, `{"locale": "en", "strength": 1}`)
	v := bsonraw.StringValue("Customer")
	b.RunParallel(func(pb *testing.PB) {
		operand := c.Operand(bsonraw.StringValue("customer"))
		for pb.Next() {
			operand.Compare(v)
		}
	})
}
