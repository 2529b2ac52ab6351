package bsonraw

import "math"

// compareNumbers orders two numbers of any numeric types by their exact values. NaN equals NaN and is the smallest.
func compareNumbers(a, b Value) int {
	if a.Type == TypeDecimal128 || b.Type == TypeDecimal128 {
		return compareDecimals(a, b)
	}
	if a.Type == TypeDouble {
		if b.Type == TypeDouble {
			return compareDoubles(a.Double(), b.Double())
		}
		n, _ := b.AsInt64()
		return -compareIntDouble(n, a.Double())
	}
	n, _ := a.AsInt64()
	if b.Type == TypeDouble {
		return compareIntDouble(n, b.Double())
	}
	m, _ := b.AsInt64()
	return compareOrdered(n, m)
}

func compareDoubles(f, g float64) int {
	if f != f || g != g {
		return compareOrdered(b2i(f == f), b2i(g == g))
	}
	return compareOrdered(f, g)
}

// compareIntDouble compares without rounding: beyond 2^53 a double cannot hold every integer.
func compareIntDouble(n int64, f float64) int {
	if f != f {
		return 1
	}
	if f >= 1<<63 {
		return -1
	}
	if f < -(1 << 63) {
		return 1
	}
	whole := math.Trunc(f)
	if c := compareOrdered(n, int64(whole)); c != 0 {
		return c
	}
	return compareOrdered(whole, f)
}
