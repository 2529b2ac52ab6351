package elementary

import (
	"math/big"
	"sync"
)

// BigPi returns pi.
func BigPi() *big.Float { return pi() }

var pi = sync.OnceValue(func() *big.Float { return computePi(precision + 32) })

// maxArgument is the largest exponent of an argument: that of a decimal128, and some more.
const maxArgument = 20600

// longPi has digits enough to reduce the largest argument.
var longPi = sync.OnceValue(func() *big.Float { return computePi(maxArgument + 2*precision) })

// computePi is Machin's formula, in integers.
func computePi(bits uint) *big.Float {
	const guard = 64
	one := new(big.Int).Lsh(big.NewInt(1), bits+guard)
	inverse := func(n int64) *big.Int { // atan(1/n)
		power := new(big.Int).Quo(one, big.NewInt(n))
		total := new(big.Int).Set(power)
		square := big.NewInt(n * n)
		for k := int64(3); power.Sign() != 0; k += 2 {
			power.Quo(power, square).Neg(power)
			total.Add(total, new(big.Int).Quo(power, big.NewInt(k)))
		}
		return total
	}
	sum := new(big.Int).Mul(inverse(5), big.NewInt(16))
	sum.Sub(sum, new(big.Int).Mul(inverse(239), big.NewInt(4)))
	f := new(big.Float).SetPrec(bits).SetInt(sum)
	return f.SetMantExp(f, -int(bits+guard))
}

// reduce returns r = x - quadrant * pi/2 with |r| <= pi/4. Of huge arguments, x must have all digits.
func reduce(x *big.Float) (r *big.Float, quadrant int) {
	e := exponent(x)
	if e < 0 {
		return empty().Set(x), 0
	}
	bits := uint(e + 2*precision)
	circle := precisePi()
	if e > 16 {
		circle = longPi()
	}
	quarter := new(big.Float).SetPrec(bits).SetMantExp(circle, -1)
	ratio := new(big.Float).SetPrec(bits).Quo(x, quarter)
	nearest := new(big.Float).SetPrec(bits).Add(ratio, big.NewFloat(0.5))
	n, _ := nearest.Int(nil)
	if nearest.Sign() < 0 && !nearest.IsInt() {
		n.Sub(n, big.NewInt(1)) // Int cuts off; the floor is needed
	}
	rest := new(big.Float).SetPrec(bits).SetInt(n)
	rest.Sub(new(big.Float).SetPrec(bits).Set(x), rest.Mul(rest, quarter))
	return empty().Set(rest), int(new(big.Int).And(n, big.NewInt(3)).Int64())
}

var precisePi = sync.OnceValue(func() *big.Float { return computePi(3 * precision) })

// sinSmall and cosSmall are for |x| < 1.
func sinSmall(x *big.Float) *big.Float {
	square := mul(x, x)
	return series(x, func(term *big.Float, n int64) {
		term.Quo(term.Mul(term, square), new(big.Float).SetInt64(-2*n*(2*n+1)))
	})
}

func cosSmall(x *big.Float) *big.Float {
	square := mul(x, x)
	return series(number(1), func(term *big.Float, n int64) {
		term.Quo(term.Mul(term, square), new(big.Float).SetInt64(-2*n*(2*n-1)))
	})
}

// BigSin returns the sine of x.
func BigSin(x *big.Float) *big.Float {
	r, quadrant := reduce(x)
	return sinOf(r, quadrant)
}

// BigCos returns the cosine of x.
func BigCos(x *big.Float) *big.Float {
	r, quadrant := reduce(x)
	return sinOf(r, quadrant+1)
}

func sinOf(r *big.Float, quadrant int) *big.Float {
	switch quadrant & 3 {
	case 0:
		return sinSmall(r)
	case 1:
		return cosSmall(r)
	case 2:
		return neg(sinSmall(r))
	}
	return neg(cosSmall(r))
}

// BigTan returns the tangent of x.
func BigTan(x *big.Float) *big.Float {
	r, quadrant := reduce(x)
	return quo(sinOf(r, quadrant), sinOf(r, quadrant+1))
}

// BigAtan returns the arc tangent of x.
func BigAtan(x *big.Float) *big.Float {
	if exponent(x) > 1 { // pi/2 - atan(1/x)
		quarter := half(pi(), 1)
		if x.Sign() < 0 {
			quarter.Neg(quarter)
		}
		return sub(quarter, BigAtan(quo(number(1), x)))
	}
	const halvings = 4
	one := number(1)
	y := empty().Set(x)
	for range halvings {
		y = quo(y, add(one, sqrt(add(one, mul(y, y)))))
	}
	square := neg(mul(y, y))
	power := empty().Set(y)
	total := empty().Set(y)
	for n := int64(3); power.Sign() != 0 && exponent(power) > exponent(total)-precision-8; n += 2 {
		power.Mul(power, square)
		total.Add(total, quo(power, new(big.Float).SetInt64(n)))
	}
	return half(total, -halvings)
}

// BigAtan2 returns the angle of the point (x, y), which is not the origin.
func BigAtan2(y, x *big.Float) *big.Float {
	switch {
	case x.Sign() > 0:
		return BigAtan(quo(y, x))
	case x.Sign() == 0:
		quarter := half(pi(), 1)
		if y.Sign() < 0 {
			return quarter.Neg(quarter)
		}
		return quarter
	}
	angle := BigAtan(quo(y, x))
	if y.Signbit() {
		return sub(angle, pi())
	}
	return add(angle, pi())
}

// BigAsin returns the arc sine of a number from -1 to 1.
func BigAsin(x *big.Float) *big.Float {
	one := number(1)
	adjacent := sqrt(mul(sub(one, x), add(one, x)))
	if adjacent.Sign() == 0 {
		return mul(half(pi(), 1), x)
	}
	return BigAtan(quo(x, adjacent))
}

// BigAcos returns the arc cosine of a number from -1 to 1.
func BigAcos(x *big.Float) *big.Float {
	one := number(1)
	if add(one, x).Sign() == 0 {
		return empty().Set(pi())
	}
	return half(BigAtan(sqrt(quo(sub(one, x), add(one, x)))), -1)
}
