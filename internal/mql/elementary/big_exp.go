package elementary

import (
	"math"
	"math/big"
	"sync"
)

// precision is that of all computing, in bits.
const precision = 320

func number(f float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(f) }

func empty() *big.Float { return new(big.Float).SetPrec(precision) }

func add(x, y *big.Float) *big.Float { return empty().Add(x, y) }
func sub(x, y *big.Float) *big.Float { return empty().Sub(x, y) }
func mul(x, y *big.Float) *big.Float { return empty().Mul(x, y) }
func quo(x, y *big.Float) *big.Float { return empty().Quo(x, y) }
func neg(x *big.Float) *big.Float    { return empty().Neg(x) }
func sqrt(x *big.Float) *big.Float   { return empty().Sqrt(x) }

// half returns x / 2^n.
func half(x *big.Float, n int) *big.Float { return empty().SetMantExp(x, -n) }

// exponent returns e with 2^(e-1) <= |x| < 2^e; that of 0 is very small.
func exponent(x *big.Float) int {
	if x.Sign() == 0 {
		return math.MinInt32
	}
	return x.MantExp(nil)
}

// series adds first, first*next(1), first*next(1)*next(2).. until it no longer changes.
func series(first *big.Float, next func(term *big.Float, n int64)) *big.Float {
	total, term := empty().Set(first), empty().Set(first)
	for n := int64(1); term.Sign() != 0 && exponent(term) > exponent(total)-precision-2; n++ {
		next(term, n)
		total.Add(total, term)
	}
	return total
}

var ln2 = sync.OnceValue(func() *big.Float {
	// 2 atanh(1/3)
	ninth := quo(number(1), number(9))
	power := quo(number(2), number(3))
	total := empty().Set(power)
	for n := int64(3); exponent(power) > -precision-8; n += 2 {
		power.Mul(power, ninth)
		total.Add(total, quo(power, new(big.Float).SetInt64(n)))
	}
	return total
})

// maxExponent is far beyond what any decimal128 or double needs.
const maxExponent = 1 << 17

// BigExp returns e to the power of x. Beyond 2^131072 it is an infinity, below the inverse of that 0.
func BigExp(x *big.Float) *big.Float {
	if exponent(x) > 17 {
		return beyond(x.Sign() < 0)
	}
	const squarings = 12
	ratio, _ := quo(x, ln2()).Float64()
	k := math.RoundToEven(ratio)
	r := half(sub(x, mul(ln2(), number(k))), squarings)
	e := series(number(1), func(term *big.Float, n int64) {
		term.Quo(term.Mul(term, r), new(big.Float).SetInt64(n))
	})
	for range squarings {
		e.Mul(e, e)
	}
	if math.Abs(k) > maxExponent {
		return beyond(k < 0)
	}
	return e.SetMantExp(e, int(k))
}

func beyond(small bool) *big.Float {
	if small {
		return number(0)
	}
	return new(big.Float).SetInf(false)
}

// BigLog returns the natural logarithm of a positive number.
func BigLog(x *big.Float) *big.Float {
	m := empty()
	e := empty().Set(x).MantExp(m)
	if m.Cmp(number(math.Sqrt2/2)) < 0 { // near 1 the exponent must be 0, so that nothing cancels
		m.SetMantExp(m, 1)
		e--
	}
	f, _ := m.Float64()
	y := number(math.Log(f))
	for range 3 { // Halley's method: each step has three times the digits of the one before
		power := BigExp(y)
		y.Add(y, quo(half(sub(m, power), -1), add(m, power)))
	}
	return y.Add(y, mul(ln2(), number(float64(e))))
}

// BigPow returns a positive number to the power of y.
func BigPow(x, y *big.Float) *big.Float { return BigExp(mul(y, BigLog(x))) }

// BigLog10 returns the decimal logarithm of a positive number.
func BigLog10(x *big.Float) *big.Float { return quo(BigLog(x), ln10()) }

var ln10 = sync.OnceValue(func() *big.Float { return BigLog(number(10)) })
