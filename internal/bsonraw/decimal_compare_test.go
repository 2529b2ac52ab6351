package bsonraw

import (
	"encoding/binary"
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

func parsedDecimal(t interface{ Fatalf(string, ...any) }, text string) Value {
	d, err := bson.ParseDecimal128(text)
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	high, low := d.GetBytes()
	return Value{TypeDecimal128, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, low), high)}
}

// someNumber draws numbers of every type that are often equal or next to each other, and decimals of any bits.
func someNumber(t *rapid.T) Value {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return Int32Value(rapid.Int32Range(-11, 11).Draw(t, "int"))
	case 1:
		return Int64Value(rapid.SampledFrom([]int64{0, 1, 10, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64, -100}).Draw(t, "long"))
	case 2:
		return DoubleValue(rapid.SampledFrom([]float64{0, 0.1, 0.5, 1, 10, 100, 1 << 53, 1e22, 1e-22, -0.1, 1e300, 5e-324, math.Inf(1), math.Inf(-1), math.NaN(), 0.30000000000000004}).Draw(t, "double"))
	case 3:
		return DoubleValue(rapid.Float64().Draw(t, "any double"))
	case 4:
		return parsedDecimal(t, rapid.SampledFrom([]string{
			"0", "-0", "0E+100", "0.1", "0.10", "1E+1", "10", "100E-1", "9007199254740993", "9223372036854775807", "-9223372036854775808", "1E+22",
			"9999999999999999999999999999999999", "9999999999999999999999999999999999E+6111", "1E-6176", "-0.1", "0.3", "NaN", "Infinity", "-Infinity",
			"0.1000000000000000055511151231257827", "1000000000000000000000000000000000E-33",
		}).Draw(t, "decimal"))
	}
	b := binary.LittleEndian.AppendUint64(nil, rapid.Uint64().Draw(t, "low"))
	return Value{TypeDecimal128, binary.LittleEndian.AppendUint64(b, rapid.Uint64().Draw(t, "high"))}
}

// TestCompareDecimalsFast holds the comparison without allocation against the one in exact arithmetic.
func TestCompareDecimalsFast(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := someNumber(t), someNumber(t)
		if a.Type != TypeDecimal128 && b.Type != TypeDecimal128 {
			t.SkipNow()
		}
		if fast, ok := compareDecimalsFast(a, b); ok && fast != compareDecimalsExactly(a, b) {
			t.Fatalf("%s against %s: %d, exactly %d", a.Shell(), b.Shell(), fast, compareDecimalsExactly(a, b))
		}
	})
}

func TestCompareDecimalsAllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations of other tests would be counted
	one, tenth := parsedDecimal(t, "1.000"), parsedDecimal(t, "0.1")
	pairs := [][2]Value{{one, tenth}, {one, Int32Value(1)}, {tenth, DoubleValue(0.5)}, {tenth, DoubleValue(1)}, {Int64Value(math.MaxInt64), one}}
	for _, p := range pairs {
		if n := testing.AllocsPerRun(100, func() { Compare(p[0], p[1]) }); n != 0 {
			t.Errorf("%s against %s: %v allocations", p[0].Shell(), p[1].Shell(), n)
		}
	}
}

func TestDecimalDigits(t *testing.T) {
	t.Parallel()
	for n := range decimalDigits {
		if got := tens[n].digits(); got != n+1 {
			t.Errorf("10^%d has %d digits, got %d", n, n+1, got)
		}
		below := wide{tens[n+1].high, tens[n+1].low - 1}
		if tens[n+1].low == 0 {
			below = wide{tens[n+1].high - 1, math.MaxUint64}
		}
		if got := below.digits(); got != n+1 {
			t.Errorf("10^%d-1 has %d digits, got %d", n+1, n+1, got)
		}
	}
}
