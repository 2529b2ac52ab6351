package aggregation

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/decimal"
)

// granularity rounds the bounds of $bucketAuto's buckets to preferred numbers: to the next one above or below, never to the number
// itself. Zero stays zero.
type granularity interface {
	up(v bsonraw.Value) bsonraw.Value
	down(v bsonraw.Value) bsonraw.Value
}

// granularities are the series that MongoDB knows: those of Renard, those of electronics, 1-2-5, and the powers of two.
var granularities = map[string]func() granularity{
	"R5":    listedSeries("10 16 25 40 63"),
	"R10":   listedSeries("100 125 160 200 250 315 400 500 630 800"),
	"R20":   listedSeries("100 112 125 140 160 180 200 224 250 280 315 355 400 450 500 560 630 710 800 900"),
	"R40":   listedSeries(renard40),
	"R80":   listedSeries(renard80),
	"1-2-5": listedSeries("10 20 50"),
	"E6":    listedSeries("10 15 22 33 47 68"),
	"E12":   listedSeries("10 12 15 18 22 27 33 39 47 56 68 82"),
	"E24":   listedSeries("10 11 12 13 15 16 18 20 22 24 27 30 33 36 39 43 47 51 56 62 68 75 82 91"),
	"E48":   geometric(48),
	"E96":   geometric(96),
	"E192":  geometric(192),

	"POWERSOF2": func() granularity { return powersOfTwo{} },
}

// MongoDB's R40 has no 33.5, and its R80 has only those numbers that R40 lacks.
const (
	renard40 = "100 106 112 118 125 132 140 150 160 170 180 190 200 212 224 236 250 265 280 300 315 355 375 400 425 450 475 500 530 560 " +
		"600 630 670 710 750 800 850 900 950"
	renard80 = "103 109 115 122 128 136 145 155 165 175 185 195 206 218 230 243 258 272 290 307 325 345 365 387 412 437 462 487 515 545 " +
		"575 615 650 690 730 775 825 875 925 975"
)

// preferred is a series of numbers that repeats with every power of ten.
type preferred []int64

func listedSeries(list string) func() granularity {
	return sync.OnceValue(func() granularity {
		var series preferred
		for text := range strings.FieldsSeq(list) {
			n, _ := strconv.ParseInt(text, 10, 64)
			series = append(series, n)
		}
		return series
	})
}

// geometric is a series in equal steps, rounded to three digits. One number of E192 is an exception by its standard.
func geometric(steps int) func() granularity {
	return sync.OnceValue(func() granularity {
		series := make(preferred, steps)
		for i := range series {
			series[i] = int64(math.Round(100 * math.Pow(10, float64(i)/float64(steps))))
			if series[i] == 919 {
				series[i] = 920
			}
		}
		return series
	})
}

func (p preferred) first() float64 { return float64(p[0]) }
func (p preferred) last() float64  { return float64(p[len(p)-1]) }

func (p preferred) up(v bsonraw.Value) bsonraw.Value {
	if v.Type == bsonraw.TypeDecimal128 {
		return p.decimal(v, true)
	}
	f, _ := v.AsFloat64()
	if f == 0 || math.IsInf(f, 1) {
		return v
	}
	// The scale grows and shrinks step by step, as MongoDB's does: its errors are part of the result.
	scale := 1.0
	for f >= p.last()*scale {
		scale *= 10
	}
	for f < p.first()*scale {
		above := p.first() * scale
		if scale /= 10; f >= p.last()*scale {
			return bsonraw.DoubleValue(above)
		}
	}
	for _, n := range p {
		if f < float64(n)*scale {
			return bsonraw.DoubleValue(float64(n) * scale)
		}
	}
	return bsonraw.DoubleValue(p.last() * scale)
}

func (p preferred) down(v bsonraw.Value) bsonraw.Value {
	if v.Type == bsonraw.TypeDecimal128 {
		return p.decimal(v, false)
	}
	f, _ := v.AsFloat64()
	if f == 0 || math.IsInf(f, 1) {
		return v
	}
	scale := 1.0
	for f <= p.first()*scale && scale > 0 {
		scale /= 10
	}
	for f > p.last()*scale {
		below := p.last() * scale
		if scale *= 10; f <= p.first()*scale {
			return bsonraw.DoubleValue(below)
		}
	}
	for i := len(p) - 1; i > 0; i-- {
		if float64(p[i])*scale < f {
			return bsonraw.DoubleValue(float64(p[i]) * scale)
		}
	}
	return bsonraw.DoubleValue(p.first() * scale)
}

// decimal rounds a decimal, which is exact.
func (p preferred) decimal(v bsonraw.Value, up bool) bsonraw.Value {
	d := decimal.Of(v)
	if d.IsZero() || d.Form != apd.Finite {
		return v
	}
	// The number lies between the first of the series and ten times that, at this scale.
	scale := int32(d.NumDigits()) + d.Exponent - int32(len(strconv.FormatInt(p[0], 10)))
	if up {
		for _, n := range p {
			if d.Cmp(apd.New(n, scale)) < 0 {
				return decimalOf(n, scale)
			}
		}
		return decimalOf(p[0], scale+1)
	}
	for _, n := range slices.Backward(p[:]) {
		if d.Cmp(apd.New(n, scale)) > 0 {
			return decimalOf(n, scale)
		}
	}
	return decimalOf(p[len(p)-1], scale-1)
}

const (
	decimalDigits = 34
	seriesDigits  = 15 // of a number of a series as a decimal
)

// decimalOf makes a decimal of a number of a series: with the digits of a double, and those that scaling it up adds.
func decimalOf(n int64, scale int32) bsonraw.Value {
	digits := len(strconv.FormatInt(n, 10))
	coefficient := new(big.Int).Mul(big.NewInt(n), power(10, seriesDigits-digits))
	exponent := int32(digits - seriesDigits)
	if scale > 0 {
		more := min(scale, decimalDigits-seriesDigits)
		coefficient.Mul(coefficient, power(10, int(more)))
		exponent += scale - more
	} else {
		exponent += scale
	}
	return packed(coefficient, exponent)
}

func power(base int64, exponent int) *big.Int {
	return new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(exponent)), nil)
}

func packed(coefficient *big.Int, exponent int32) bsonraw.Value {
	d := &apd.Decimal{Exponent: exponent}
	d.Coeff.SetMathBigInt(coefficient)
	return decimalValue(d)
}

func decimalValue(d *apd.Decimal) bsonraw.Value {
	high, low := decimal.Pack(d)
	return bsonraw.Value{
		Type: bsonraw.TypeDecimal128,
		Data: binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, low), high),
	}
}

// powersOfTwo rounds to powers of two, whole ones as whole numbers.
type powersOfTwo struct{}

func (powersOfTwo) up(v bsonraw.Value) bsonraw.Value {
	exponent, _, ok := binaryExponent(v)
	if !ok {
		return v
	}
	return powerOfTwo(v, exponent)
}

func (powersOfTwo) down(v bsonraw.Value) bsonraw.Value {
	exponent, exact, ok := binaryExponent(v)
	switch {
	case !ok:
		return v
	case exact:
		return powerOfTwo(v, exponent-2)
	}
	return powerOfTwo(v, exponent-1)
}

// binaryExponent returns e such that 2^(e-1) <= v < 2^e, and whether v is that power of two; ok is false for zero and what is not
// finite.
func binaryExponent(v bsonraw.Value) (exponent int, exact, ok bool) {
	var f *big.Float
	switch v.Type {
	case bsonraw.TypeDecimal128:
		d := decimal.Of(v)
		if d.IsZero() || d.Form != apd.Finite {
			return 0, false, false
		}
		const precision = 512
		f = new(big.Float).SetPrec(precision).SetInt(d.Coeff.MathBigInt())
		ten := new(big.Float).SetPrec(precision).SetInt(power(10, int(max(d.Exponent, -d.Exponent))))
		if d.Exponent < 0 {
			f.Quo(f, ten)
		} else {
			f.Mul(f, ten)
		}
	case bsonraw.TypeDouble:
		if d := v.Double(); d == 0 || math.IsInf(d, 0) || math.IsNaN(d) {
			return 0, false, false
		}
		f = big.NewFloat(v.Double())
	default:
		n, _ := v.AsInt64()
		if n == 0 {
			return 0, false, false
		}
		f = new(big.Float).SetInt64(n)
	}
	mantissa := new(big.Float)
	exponent = f.MantExp(mantissa)
	half := big.NewFloat(0.5)
	return exponent, mantissa.Cmp(half) == 0, true
}

// powerOfTwo makes 2^exponent for a number like v.
func powerOfTwo(v bsonraw.Value, exponent int) bsonraw.Value {
	switch {
	case v.Type == bsonraw.TypeDecimal128:
		return decimalPowerOfTwo(exponent)
	case exponent < 0 || exponent > 62:
		return bsonraw.DoubleValue(math.Ldexp(1, exponent))
	case exponent < 31:
		return bsonraw.Int32Value(1 << exponent)
	}
	return bsonraw.Int64Value(1 << exponent)
}

// decimalPowerOfTwo makes a power of two with all the digits that a decimal has.
func decimalPowerOfTwo(exponent int) bsonraw.Value {
	coefficient, ten := power(2, max(exponent, 0)), int32(0)
	if exponent < 0 {
		coefficient, ten = power(5, -exponent), int32(exponent)
	}
	digits := len(coefficient.Text(10))
	if digits <= decimalDigits {
		coefficient.Mul(coefficient, power(10, decimalDigits-digits))
		return packed(coefficient, ten-int32(decimalDigits-digits))
	}
	d := &apd.Decimal{Exponent: ten}
	d.Coeff.SetMathBigInt(coefficient)
	rounded := new(apd.Decimal)
	if _, err := decimal.Context.Round(rounded, d); err != nil {
		return bsonraw.NullValue // no decimal is so large or so small
	}
	return decimalValue(rounded)
}
