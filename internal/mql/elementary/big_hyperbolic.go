package elementary

import "math/big"

// BigSinh returns the hyperbolic sine of x.
func BigSinh(x *big.Float) *big.Float {
	if exponent(x) <= 0 {
		square := mul(x, x)
		return series(x, func(term *big.Float, n int64) {
			term.Quo(term.Mul(term, square), new(big.Float).SetInt64(2*n*(2*n+1)))
		})
	}
	e := BigExp(empty().Abs(x))
	if !e.IsInf() {
		e = half(sub(e, quo(number(1), e)), 1)
	}
	if x.Sign() < 0 {
		e.Neg(e)
	}
	return e
}

// BigCosh returns the hyperbolic cosine of x.
func BigCosh(x *big.Float) *big.Float {
	e := BigExp(empty().Abs(x))
	if e.IsInf() {
		return e
	}
	return half(add(e, quo(number(1), e)), 1)
}

// BigTanh returns the hyperbolic tangent of x.
func BigTanh(x *big.Float) *big.Float {
	if exponent(x) > 8 {
		return number(float64(x.Sign()))
	}
	return quo(BigSinh(x), BigCosh(x))
}

// tiny is the exponent below which the first terms of a series have all digits.
const tiny = -60

// BigAsinh returns the inverse hyperbolic sine of x.
func BigAsinh(x *big.Float) *big.Float {
	square := mul(x, x)
	if exponent(x) < tiny { // x - x^3/6 + 3x^5/40
		inner := sub(quo(mul(number(3), square), number(40)), quo(number(1), number(6)))
		return add(x, mul(mul(x, square), inner))
	}
	y := BigLog(add(empty().Abs(x), sqrt(add(square, number(1)))))
	if x.Sign() < 0 {
		y.Neg(y)
	}
	return y
}

// BigAcosh returns the inverse hyperbolic cosine of a number that is at least 1.
func BigAcosh(x *big.Float) *big.Float {
	one := number(1)
	return BigLog(add(x, sqrt(mul(sub(x, one), add(x, one)))))
}

// BigAtanh returns the inverse hyperbolic tangent of a number between -1 and 1.
func BigAtanh(x *big.Float) *big.Float {
	square := mul(x, x)
	if exponent(x) < tiny { // x + x^3/3 + x^5/5
		inner := add(quo(number(1), number(3)), quo(square, number(5)))
		return add(x, mul(mul(x, square), inner))
	}
	one := number(1)
	return half(BigLog(quo(add(one, x), sub(one, x))), 1)
}
