package elementary

import "math"

// pair is the sum of two doubles, of which low is at most half a last place of high: a number of about 106 bits.
type pair struct{ high, low float64 }

func single(f float64) pair { return pair{high: f} }

// twoSum is an exact sum (Knuth).
func twoSum(a, b float64) pair {
	s := a + b
	part := s - a
	return pair{s, (a - (s - part)) + (b - part)}
}

// quickSum is twoSum for |a| >= |b|.
func quickSum(a, b float64) pair {
	s := a + b
	return pair{s, b - (s - a)}
}

// product is an exact product.
func product(a, b float64) pair {
	p := a * b
	return pair{p, math.FMA(a, b, -p)}
}

func (a pair) plus(b pair) pair {
	s := twoSum(a.high, b.high)
	t := twoSum(a.low, b.low)
	s = quickSum(s.high, s.low+t.high)
	return quickSum(s.high, s.low+t.low)
}

func (a pair) minus(b pair) pair { return a.plus(pair{-b.high, -b.low}) }

func (a pair) times(b pair) pair {
	p := product(a.high, b.high)
	return quickSum(p.high, p.low+(a.high*b.low+a.low*b.high))
}

func (a pair) by(f float64) pair {
	p := product(a.high, f)
	return quickSum(p.high, p.low+a.low*f)
}

func (a pair) over(b pair) pair {
	q := a.high / b.high
	rest := a.minus(b.by(q))
	second := rest.high / b.high
	rest = rest.minus(b.by(second))
	return quickSum(q, second).plus(single(rest.high / b.high))
}

// scaled multiplies by a power of 2.
func (a pair) scaled(power float64) pair { return pair{a.high * power, a.low * power} }

func (a pair) root() pair {
	if a.high == 0 {
		return pair{}
	}
	r := math.Sqrt(a.high)
	rest := a.minus(product(r, r))
	return quickSum(r, rest.high/(2*r))
}

func (a pair) float() float64 { return a.high + a.low }
