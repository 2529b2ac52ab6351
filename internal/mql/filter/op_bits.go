package filter

import (
	"encoding/binary"
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// bitTest reads $bitsAllSet ($bitsAllClear, $bitsAnySet, $bitsAnyClear): all or any of some bits are set or clear. The bits are
// given as positions, as a number or as binary data.
func bitTest(all, set bool) fieldOperator {
	return func(_ *parser, c condition) (*clause, error) {
		x := bitsTest{all: all, set: set}
		switch {
		case c.arg.Type == bsonraw.TypeArray:
			for it := c.arg.Doc().Iter(); it.Next(); {
				n, err := bitPosition(string(it.Key()), it.Value())
				if err != nil {
					return nil, err
				}
				x.add(n)
			}
		case c.arg.Type.IsNumber():
			n, err := argument.Natural(c.name, c.arg)
			if err != nil {
				return nil, failedToParse(err)
			}
			for i := range 63 {
				if n>>i&1 != 0 {
					x.add(i)
				}
			}
		case c.arg.Type == bsonraw.TypeBinary:
			for i, b := range binaryBits(c.arg) {
				for j := range 8 {
					if b>>j&1 != 0 {
						x.add(8*i + j)
					}
				}
			}
		default:
			return nil, badValue("%s takes an Array, a number, or a BinData but received: %s: %s", c.path, c.name, c.arg.Shell())
		}
		return &clause{op: opBits, path: c.path, value: c.arg, test: x}, nil
	}
}

func bitPosition(name string, v bsonraw.Value) (int, error) {
	n, err := argument.Natural(name, v)
	switch {
	case err != nil:
		return 0, badValue("Failed to parse bit position. %s", err)
	case n > math.MaxInt32:
		return 0, badValue("Failed to parse bit position. Cannot represent %s: %s in an int", name, v.Shell())
	}
	return int(n), nil
}

// bitsTest tests bits of integers, in two's complement with the sign going on for ever, and of binary data, followed by zeros
// for ever; the first byte holds the lowest bits.
type bitsTest struct {
	all, set bool
	mask     uint64 // positions below 64
	high     []int  // the others
}

func (x *bitsTest) add(position int) {
	if position < 64 {
		x.mask |= 1 << position
	} else {
		x.high = append(x.high, position)
	}
}

func (x bitsTest) holds(v bsonraw.Value) bool {
	switch v.Type {
	case bsonraw.TypeInt32, bsonraw.TypeInt64, bsonraw.TypeDouble, bsonraw.TypeDecimal128:
		n, ok := bitsOf(v)
		return ok && x.integer(n)
	case bsonraw.TypeBinary:
		return x.binary(binaryBits(v))
	}
	return false
}

func (x bitsTest) integer(n int64) bool {
	found := uint64(n)
	if !x.set {
		found = ^found
	}
	if !x.all && found&x.mask != 0 {
		return true
	}
	if x.all && found&x.mask != x.mask {
		return false
	}
	if len(x.high) > 0 {
		return (n < 0) == x.set
	}
	return x.all
}

func (x bitsTest) binary(b []byte) bool {
	var low [8]byte
	copy(low[:], b)
	found := binary.LittleEndian.Uint64(low[:])
	if !x.set {
		found = ^found
	}
	if !x.all && found&x.mask != 0 {
		return true
	}
	if x.all && found&x.mask != x.mask {
		return false
	}
	for _, position := range x.high {
		set := position/8 < len(b) && b[position/8]>>(position%8)&1 != 0
		if (set == x.set) != x.all {
			return !x.all
		}
	}
	return x.all
}

// binaryBits returns all bytes after the subtype: of the old subtype 2 the inner length too, as MongoDB does.
func binaryBits(v bsonraw.Value) []byte {
	if len(v.Data) < 5 {
		return nil
	}
	return v.Data[5:]
}

// bitsOf returns the integer whose bits are tested. Doubles with a fraction have none; decimals are rounded to the nearest
// even integer, and those out of range count as the smallest one.
func bitsOf(v bsonraw.Value) (int64, bool) {
	n, ok := v.AsInt64()
	switch v.Type {
	case bsonraw.TypeDouble:
		return n, ok && float64(n) == v.Double()
	case bsonraw.TypeDecimal128:
		if !ok {
			return math.MinInt64, true
		}
		f, _ := v.AsFloat64()
		if math.Abs(f) < 1<<52 {
			n = int64(math.RoundToEven(f))
		}
	}
	return n, true
}
