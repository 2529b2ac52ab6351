package elementary

import (
	"math"
	"math/big"
)

// halfPi is pi/2 in four parts.
var halfPi = [4]float64{0x1.921fb54442d18p+00, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110, 0x1.4cf98e804177dp-164}

// maxReduced is up to which argument the parts of pi have digits enough.
const maxReduced = 1 << 24

// reduced returns r = x - quadrant * pi/2 with |r| <= pi/4, or a little more.
func reduced(x float64) (r pair, quadrant int) {
	n := math.RoundToEven(x * (2 / math.Pi))
	if n == 0 {
		return single(x), 0
	}
	r = single(x)
	for _, part := range halfPi {
		p := product(-n, part)
		r = r.plus(p)
	}
	return r, int(int64(n) & 3)
}

// reducedExactly is reduced for larger arguments.
func reducedExactly(x float64) (r pair, quadrant int) {
	rest, quadrant := reduce(new(big.Float).SetFloat64(x))
	high, _ := rest.Float64()
	low, _ := rest.Sub(rest, number(high)).Float64()
	return pair{high, low}, quadrant
}

// sinCosPair returns both for an angle up to pi/4.
func sinCosPair(r pair) (sin, cos pair) {
	square := r.times(r)
	square = pair{-square.high, -square.low}
	sin, cos = inverseFactorials[27], inverseFactorials[26]
	for n := 25; n > 0; n -= 2 {
		sin = sin.times(square).plus(inverseFactorials[n])
		cos = cos.times(square).plus(inverseFactorials[n-1])
	}
	return sin.times(r), cos
}

// sinCos returns both for any angle.
func sinCos(x float64) (sin, cos pair) {
	reduction := reduced
	if math.Abs(x) > maxReduced {
		reduction = reducedExactly
	}
	r, quadrant := reduction(x)
	sin, cos = sinCosPair(r)
	switch quadrant {
	case 1:
		return cos, pair{-sin.high, -sin.low}
	case 2:
		return pair{-sin.high, -sin.low}, pair{-cos.high, -cos.low}
	case 3:
		return pair{-cos.high, -cos.low}, sin
	}
	return sin, cos
}

func special(x float64) bool { return x != x || math.IsInf(x, 0) || math.Abs(x) < 0x1p-500 }

// Sin returns the sine of x.
func Sin(x float64) float64 {
	if special(x) {
		return math.Sin(x)
	}
	sin, _ := sinCos(x)
	return sin.float()
}

// Cos returns the cosine of x.
func Cos(x float64) float64 {
	if special(x) {
		return math.Cos(x)
	}
	_, cos := sinCos(x)
	return cos.float()
}

// Tan returns the tangent of x.
func Tan(x float64) float64 {
	if special(x) {
		return math.Tan(x)
	}
	sin, cos := sinCos(x)
	return sin.over(cos).float()
}

// Atan returns the arc tangent of x.
func Atan(x float64) float64 {
	if special(x) || math.Abs(x) > 0x1p200 {
		return math.Atan(x)
	}
	return angle(single(x), single(1), math.Atan(x))
}

// Atan2 returns the angle of the point (x, y).
func Atan2(y, x float64) float64 {
	plain := math.Atan2(y, x)
	if x == 0 || y == 0 || special(x) || special(y) || math.Abs(plain) < 0x1p-500 {
		return plain
	}
	_, k := math.Frexp(x)
	_, l := math.Frexp(y)
	if k-l > 200 || l-k > 200 {
		return plain
	}
	k = max(k, l)
	return angle(single(math.Ldexp(y, -k)), single(math.Ldexp(x, -k)), plain)
}

// angle makes the angle of a point exact that is nearly a: the sine of what is missing is that of a difference, and nearly that itself.
func angle(y, x pair, a float64) float64 {
	sin, cos := sinCos(a)
	rest := y.times(cos).minus(x.times(sin)).over(x.times(cos).plus(y.times(sin)))
	return single(a).plus(rest).float()
}

// Asin returns the arc sine of x.
func Asin(x float64) float64 {
	if special(x) || math.Abs(x) >= 1 {
		return math.Asin(x)
	}
	return angle(single(x), adjacent(x), math.Asin(x))
}

// Acos returns the arc cosine of x.
func Acos(x float64) float64 {
	if special(x) || math.Abs(x) >= 1 {
		return math.Acos(x)
	}
	return angle(adjacent(x), single(x), math.Acos(x))
}

// adjacent returns the square root of 1 - x^2.
func adjacent(x float64) pair { return twoSum(1, -x).times(twoSum(1, x)).root() }
