package bsonraw

import (
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The expected texts are those of a MongoDB 6.0.5, taken from its duplicate key messages.
func TestShellWritesValuesAsMessagesDo(t *testing.T) {
	t.Parallel()
	decimal := func(s string) bson.Decimal128 {
		d, err := bson.ParseDecimal128(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, test := range []struct {
		value any
		want  string
	}{
		{1e30, "1e+30.0"},
		{0.1, "0.1"},
		{100.0, "100.0"},
		{1e-7, "1e-07.0"},
		{math.Inf(1), "inf.0"},
		{123456789012345680.0, "1.234567890123457e+17"},
		{decimal("0.1"), "0.1"},
		{decimal("1E+3"), "1E+3"},
		{decimal("1E-10"), "1E-10"},
		{decimal("123.45"), "123.45"},
		{decimal("-0.00012"), "-0.00012"},
		{[]byte{1, 255}, "BinData(0, 01FF)"},
		{int32(5), "5"},
		{bson.Regex{Pattern: "a", Options: "i"}, "/a/i"},
		{bson.MinKey{}, "MinKey"},
		{true, "true"},
		{bson.D{{Key: "x", Value: bson.A{1, "y"}}}, `{ x: [ 1, "y" ] }`},
		{bson.D{}, "{}"},
		{nil, "null"},
	} {
		raw, err := bson.Marshal(bson.D{{Key: "a", Value: test.value}})
		if err != nil {
			t.Fatal(err)
		}
		if got := Doc(raw).Lookup("a").Shell(); got != test.want {
			t.Errorf("%v: %s, want %s", test.value, got, test.want)
		}
	}
}
