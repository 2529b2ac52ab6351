package elementary

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

type function struct {
	name    string
	double  func(float64) float64
	digits  func(*big.Float) *big.Float
	defined func(float64) bool
	exact   bool // the nearest double, always
}

func within(bound float64) func(float64) bool {
	return func(x float64) bool { return math.Abs(x) < bound }
}

func always(float64) bool { return true }

func positive(x float64) bool { return x > 0 }

var functions = []function{
	{"exp", Exp, BigExp, within(740), true},
	{"log", Log, BigLog, positive, true},
	{"log10", Log10, BigLog10, positive, false},
	{"sin", Sin, BigSin, always, true},
	{"cos", Cos, BigCos, always, true},
	{"tan", Tan, BigTan, always, true},
	{"asin", Asin, BigAsin, within(1), true},
	{"acos", Acos, BigAcos, within(1), true},
	{"atan", Atan, BigAtan, always, true},
	{"sinh", Sinh, BigSinh, within(700), false},
	{"cosh", Cosh, BigCosh, within(700), false},
	{"tanh", Tanh, BigTanh, always, false},
	{"asinh", Asinh, BigAsinh, always, false},
	{"acosh", Acosh, BigAcosh, func(x float64) bool { return x >= 1 }, false},
	{"atanh", Atanh, BigAtanh, within(1), false},
}

// arguments are of all sizes, with those among them at which something changes.
func arguments(random *rand.Rand) []float64 {
	list := []float64{0.5, 1, 2, 3, 10, 22, 0x1p-28, 0x1p28, math.Pi, math.Pi / 2, math.Pi / 4, 3 * math.Pi / 4, 1e22, 1e300, 355, 708, 0x1p24, 0x1p25 + 1, 1e-300, 5e-324}
	for range 400 {
		list = append(list, random.NormFloat64(), math.Exp(5*random.NormFloat64()), math.Exp(300*random.Float64()), 1-math.Exp(-30*random.Float64()))
	}
	for n := 1; n < 200; n++ {
		list = append(list, float64(n)*math.Pi/2, float64(n), 1+math.Ldexp(1, -n/4), 1-math.Ldexp(1, -n/4))
	}
	for _, x := range list {
		list = append(list, math.Nextafter(x, 0), -x)
	}
	return list
}

func TestDoublesAreWhatManyDigitsSay(t *testing.T) {
	t.Parallel()
	list := arguments(rand.New(rand.NewPCG(1, 2))) //nolint:gosec // a sample, not a secret
	for _, f := range functions {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for _, x := range list {
				if !f.defined(x) {
					continue
				}
				got := f.double(x)
				want, _ := f.digits(new(big.Float).SetFloat64(x)).Float64()
				if f.exact && got != want || math.Abs(got-want) > 4*(math.Nextafter(math.Abs(want), math.Inf(1))-math.Abs(want)) {
					t.Errorf("%s(%v) is %v, want %v", f.name, x, got, want)
				}
			}
		})
	}
}

func TestPowAndAtan2AreWhatManyDigitsSay(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a sample, not a secret
	for range 2000 {
		x, y := math.Exp(4*random.NormFloat64()), 20*random.NormFloat64()
		want, _ := BigPow(new(big.Float).SetFloat64(x), new(big.Float).SetFloat64(y)).Float64()
		if got := Pow(x, y); got != want && want != 0 && !math.IsInf(want, 0) {
			t.Errorf("%v to the power of %v is %v, want %v", x, y, got, want)
		}
		if random.IntN(2) == 0 {
			x = -x
		}
		want, _ = BigAtan2(new(big.Float).SetFloat64(y), new(big.Float).SetFloat64(x)).Float64()
		if got := Atan2(y, x); got != want {
			t.Errorf("the angle of (%v, %v) is %v, want %v", x, y, got, want)
		}
	}
}

func TestSpecialArguments(t *testing.T) {
	t.Parallel()
	inf, nan := math.Inf(1), math.NaN()
	for _, f := range functions {
		if got := f.double(nan); got == got {
			t.Errorf("%s(NaN) is %v", f.name, got)
		}
	}
	for _, c := range []struct{ got, want float64 }{
		{Exp(inf), inf},
		{Exp(-inf), 0},
		{Exp(0), 1},
		{Exp(1000), inf},
		{Log(inf), inf},
		{Log(0), -inf},
		{Log(1), 0},
		{Log10(1000), 3},
		{Log10(inf), inf},
		{Pow(2, 10), 1024},
		{Pow(-2, 3), -8},
		{Pow(-2, 0.5), nan},
		{Pow(0, -1), inf},
		{Pow(2, 1024), inf},
		{Pow(2, -1074), 5e-324},
		{Pow(2, -1080), 0},
		{Sin(inf), nan},
		{Cos(0), 1},
		{Atan(inf), math.Pi / 2},
		{Asin(1), math.Pi / 2},
		{Acos(-1), math.Pi},
		{Acos(1), 0},
		{Sinh(-inf), -inf},
		{Sinh(800), inf},
		{Cosh(-inf), inf},
		{Tanh(-inf), -1},
		{Asinh(-inf), -inf},
		{Acosh(1), 0},
		{Atanh(1), inf},
		{Atan2(0, -1), math.Pi},
		{Atan2(1, 0), math.Pi / 2},
	} {
		if c.got != c.want && (c.got == c.got || c.want == c.want) {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	for _, f := range functions[3:] {
		if zero := math.Copysign(0, -1); f.double(zero) == 0 && !math.Signbit(f.double(zero)) {
			t.Errorf("%s(-0) is 0, want -0", f.name)
		}
	}
}

// Digits of constants that are in every book.
func TestManyDigits(t *testing.T) {
	t.Parallel()
	one := number(1)
	for _, c := range []struct {
		got  *big.Float
		want string
	}{
		{BigPi(), "3.14159265358979323846264338327950288419716939937510582097494"},
		{BigExp(one), "2.7182818284590452353602874713526624977572470936999595749669"},
		{BigLog(number(2)), "0.69314718055994530941723212145817656807550013436025525412068"},
		{BigSin(one), "0.84147098480789650665250232163029899962256306079837106567275"},
		{BigAtan(one), "0.78539816339744830961566084581987572104929234984377645524373"},
	} {
		if got := c.got.Text('f', 60); !strings.HasPrefix(got, c.want) {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestDoublesDoNotAllocate(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	for _, f := range functions {
		if !f.defined(0.7) {
			continue
		}
		if n := testing.AllocsPerRun(10, func() { f.double(0.7) }); n != 0 {
			t.Errorf("%s allocates %.0f times", f.name, n)
		}
	}
}
