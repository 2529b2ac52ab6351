package bsonraw

import (
	"math"
	"math/bits"
)

// wide is a number of 128 bits, which holds every coefficient of a decimal.
type wide struct{ high, low uint64 }

func (w wide) isZero() bool { return w.high|w.low == 0 }

func (w wide) compare(v wide) int {
	if w.high != v.high {
		return order(w.high < v.high)
	}
	return compareOrdered(w.low, v.low)
}

// times multiplies; the product must fit.
func (w wide) times(v wide) wide {
	high, low := bits.Mul64(w.low, v.low)
	return wide{high + w.high*v.low + w.low*v.high, low}
}

// tens are the powers of ten that a coefficient can reach.
var tens = func() (t [decimalDigits + 1]wide) {
	t[0] = wide{low: 1}
	for i := 1; i < len(t); i++ {
		t[i] = t[i-1].times(wide{low: 10})
	}
	return t
}()

// digits counts the digits of a number that is not zero and has at most 34 of them.
func (w wide) digits() int {
	bitLength := bits.Len64(w.low)
	if w.high != 0 {
		bitLength = 64 + bits.Len64(w.high)
	}
	n := bitLength * 1233 >> 12 // log10(2) is 1233/4096, nearly; the result is right or one too small
	if n < len(tens) && w.compare(tens[n]) >= 0 {
		n++
	}
	return n
}

// finite is a number as sign, coefficient and power of ten.
type finite struct {
	negative    bool
	coefficient wide
	exponent    int
}

// toFinite takes a number apart without allocating; ok is false for NaN, infinities and doubles that are not whole numbers
// below 2^63.
func toFinite(v Value) (f finite, ok bool) {
	switch v.Type {
	case TypeInt32, TypeInt64:
		n, _ := v.AsInt64()
		return finiteInt(n), true
	case TypeDouble:
		d := v.Double()
		if math.Trunc(d) != d || !(math.Abs(d) < 1<<63) {
			return f, false
		}
		return finiteInt(int64(d)), true
	}
	high, low := v.Decimal128()
	switch {
	case high>>59&0xf == 0xf: // NaN or infinite
		return f, false
	case high>>61&3 == 3: // more than 34 digits, which counts as zero
		return f, true
	}
	f = finite{negative: high>>63 != 0, coefficient: wide{high & (1<<49 - 1), low}, exponent: int(high>>49&0x3fff) - decimalBias}
	if f.coefficient.compare(tens[decimalDigits]) >= 0 {
		f.coefficient = wide{}
	}
	return f, true
}

func finiteInt(n int64) finite {
	if n < 0 {
		return finite{negative: true, coefficient: wide{low: -uint64(n)}}
	}
	return finite{coefficient: wide{low: uint64(n)}}
}

func (f finite) sign() int {
	switch {
	case f.coefficient.isZero():
		return 0
	case f.negative:
		return -1
	}
	return 1
}

func (f finite) compare(g finite) int {
	s := f.sign()
	if c := compareOrdered(s, g.sign()); c != 0 || s == 0 {
		return c
	}
	// The numbers of digits before the point decide, or the coefficients once they have the same number of digits.
	m, n := f.coefficient.digits(), g.coefficient.digits()
	if c := compareOrdered(m+f.exponent, n+g.exponent); c != 0 {
		return s * c
	}
	a, b := f.coefficient, g.coefficient
	if m < n {
		a = a.times(tens[n-m])
	} else {
		b = b.times(tens[m-n])
	}
	return s * a.compare(b)
}

// smallTens are the powers of ten that a double holds exactly.
var smallTens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// nearest returns the double nearest to f; ok is false where one operation on exact operands does not give it.
func (f finite) nearest() (d float64, ok bool) {
	if f.coefficient.high != 0 || f.coefficient.low >= 1<<53 || f.exponent < -22 || f.exponent > 22 {
		return 0, false
	}
	d = float64(f.coefficient.low)
	if f.exponent < 0 {
		d /= smallTens[-f.exponent]
	} else {
		d *= smallTens[f.exponent]
	}
	if f.negative {
		d = -d
	}
	return d, true
}

// compareDecimalsFast is compareDecimals for the cases that need no arithmetic on large numbers: all but NaN, infinities and
// doubles very near to the decimal.
func compareDecimalsFast(a, b Value) (c int, ok bool) {
	x, okX := toFinite(a)
	y, okY := toFinite(b)
	if okX && okY {
		return x.compare(y), true
	}
	if okX && b.Type == TypeDouble {
		return compareNearest(x, b.Double())
	}
	if okY && a.Type == TypeDouble {
		c, ok = compareNearest(y, a.Double())
		return -c, ok
	}
	return 0, false
}

// compareNearest compares a decimal with a double by the decimal's nearest double: rounding keeps the order of what it keeps
// apart.
func compareNearest(x finite, f float64) (c int, ok bool) {
	d, ok := x.nearest()
	if !ok || f != f || d == f {
		return 0, false
	}
	return compareDoubles(d, f), true
}
