package elementary

import "math"

// ln2High has 32 bits, so that its product with an exponent is exact; all three together have about 160.
const (
	ln2High = 0x1.62e42feep-01
	ln2Mid  = 0x1.a39ef35793c76p-33
	ln2Low  = 0x1.cc01f97b57a08p-87
)

// inverseFactorials holds 1/n!.
var inverseFactorials = func() (list [28]pair) {
	list[0] = single(1)
	for n := 1; n < len(list); n++ {
		list[n] = list[n-1].over(single(float64(n)))
	}
	return list
}()

// expm1Pair returns e^x - 1 and the exponent k by which it is to be scaled, for |x| < 745: (1 + the pair) * 2^k is e^x.
func expm1Pair(x pair) (e pair, k int) {
	const squarings = 9
	n := math.RoundToEven(x.high * (1 / math.Ln2))
	r := x.plus(single(-n * ln2High)).plus(pair{-n * ln2Mid, -n * ln2Low}).plus(single(math.FMA(-n, ln2Mid, n*ln2Mid)))
	r = r.scaled(1.0 / (1 << squarings))
	sum := inverseFactorials[9]
	for i := 8; i > 0; i-- {
		sum = sum.times(r).plus(inverseFactorials[i])
	}
	sum = sum.times(r)
	for range squarings { // (1+s)^2 - 1 = 2s + s^2
		sum = sum.scaled(2).plus(sum.times(sum))
	}
	return sum, int(n)
}

// Exp returns e to the power of x.
func Exp(x float64) float64 {
	if !(x > -745.2 && x < 709.8) || math.Abs(x) < 0x1p-54 {
		return math.Exp(x)
	}
	e, k := expm1Pair(single(x))
	return scale(e.plus(single(1)), k)
}

// scale returns p * 2^k, rounded once.
func scale(p pair, k int) float64 {
	p = quickSum(p.high, p.low)
	f := p.high
	// A subnormal result has fewer bits. So that it is not rounded twice, the first time is to odd.
	if rounded := math.Ldexp(f, k); rounded >= 0x1p-1022 || p.low == 0 {
		return rounded
	}
	if bits := math.Float64bits(f); bits&1 == 0 {
		if p.low > 0 {
			f = math.Float64frombits(bits + 1)
		} else {
			f = math.Float64frombits(bits - 1)
		}
	}
	return math.Ldexp(f, k)
}

// logPair returns the logarithm of a positive, finite number.
func logPair(x float64) pair {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	y := single(math.Log(m))
	e, shift := expm1Pair(y)
	if shift != 0 { // cannot be: |log m| < ln2 / 2, but for rounding
		e = e.plus(single(1)).scaled(math.Ldexp(1, shift)).minus(single(1))
	}
	// One step of Newton's: both m-1 and e are exact to the last bits, however near to 1.
	d := single(m - 1).minus(e)
	y = y.plus(d.over(e.plus(single(1))))
	if k == 0 {
		return y
	}
	n := float64(k)
	return product(n, ln2High).plus(product(n, ln2Mid)).plus(single(n * ln2Low)).plus(y)
}

// Log returns the natural logarithm of x.
func Log(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 1) || x == 1 {
		return math.Log(x)
	}
	return logPair(x).float()
}

// Log10 returns the decimal logarithm of x: that of its exponent in two parts, and that of the rest.
func Log10(x float64) float64 {
	const (
		log2High = 0x1.34413509f6p-2 // log10(2) with the last bits cut off, so that its product with an exponent is exact
		log2Low  = 3.69423907715893078616e-13
		inverse  = math.Log10E
	)
	if !(x > 0) || math.IsInf(x, 1) {
		return math.Log10(x)
	}
	m, k := math.Frexp(x)
	m, k = 2*m, k-1
	if k < 0 {
		m, k = m/2, k+1
	}
	n := float64(k)
	return n*log2Low + inverse*Log(m) + n*log2High
}

// Pow returns x to the power of y.
func Pow(x, y float64) float64 {
	plain := math.Pow(x, y)
	switch {
	case math.IsNaN(plain) || math.IsInf(x, 0) || math.IsInf(y, 0) || x == 0 || y == 0 || x == 1 || x == -1:
		return plain
	}
	power := logPair(math.Abs(x)).by(y)
	if !(power.high > -745.2 && power.high < 709.8) || math.Abs(power.high) < 0x1p-54 {
		return plain
	}
	e, k := expm1Pair(power)
	f := scale(e.plus(single(1)), k)
	if math.Signbit(plain) {
		return -f
	}
	return f
}
