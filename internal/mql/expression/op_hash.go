package expression

import (
	"crypto/md5" //nolint:gosec // the hash of MongoDB's hashed indexes, which protects nothing
	"encoding/binary"
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// compileHashedIndexKey reads $toHashedIndexKey, to which an array is one argument.
func compileHashedIndexKey(c *compiler, _ string, argument bsonraw.Value) (node, error) {
	arg, err := c.operand(argument)
	return &hashedIndexKey{unaryCall: unaryCall{call: evalHashedIndexKey, arg: arg}}, err
}

type hashedIndexKey struct {
	untouched
	unaryCall
}

// evalHashedIndexKey gives the key that a value has in a hashed index.
func evalHashedIndexKey(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	if a.IsMissing() {
		a = bsonraw.NullValue
	}
	const seed = 0
	buf := appendHashed(binary.LittleEndian.AppendUint32(ctx.Scratch(), seed), nil, a)
	sum := md5.Sum(buf) //nolint:gosec // as above
	ctx.Discard(buf)
	return ctx.int64Value(int64(binary.LittleEndian.Uint64(sum[:]))), nil
}

// appendHashed appends what is hashed of a value: its class, the name of its field if it has one, and its bytes. Numbers count as integers.
func appendHashed(dst, name []byte, v bsonraw.Value) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, hashClass(v.Type))
	dst = append(dst, name...)
	switch v.Type {
	case bsonraw.TypeDocument, bsonraw.TypeArray:
		return appendHashedFields(dst, v.Doc())
	case bsonraw.TypeCodeScope:
		code, scope := v.CodeScope()
		return appendHashedFields(append(append(dst, code...), 0), scope)
	}
	if v.Type.IsNumber() {
		return binary.LittleEndian.AppendUint64(dst, uint64(hashedNumber(v)))
	}
	return append(dst, v.Data...)
}

func appendHashedFields(dst []byte, doc bsonraw.Doc) []byte {
	for it := doc.Iter(); it.Next(); {
		key := it.Elem()[1 : len(it.Key())+2] // with its zero byte
		dst = appendHashed(dst, key, it.Value())
	}
	const end = 0
	return binary.LittleEndian.AppendUint32(dst, end)
}

// hashedNumber makes an integer of a number, the nearest border of one that is none. Decimals are rounded, doubles are not.
func hashedNumber(v bsonraw.Value) int64 {
	switch v.Type {
	case bsonraw.TypeDecimal128:
		d := readDecimal(v)
		if n := decimalToInteger(d); n != math.MinInt64 || d.Form == apd.NaN || d.Negative {
			if d.Form == apd.NaN {
				return 0
			}
			return n
		}
		return math.MaxInt64
	case bsonraw.TypeDouble:
		n, ok := v.AsInt64()
		switch f := v.Double(); {
		case ok:
			return n
		case f != f:
			return 0
		case f > 1<<63:
			return math.MaxInt64
		}
		return math.MinInt64 // of 2^63, too
	}
	n, _ := v.AsInt64()
	return n
}

// hashClass numbers the types as comparisons do: those whose values compare have one number.
func hashClass(t bsonraw.Type) uint32 {
	switch t {
	case bsonraw.TypeMinKey:
		return math.MaxUint32
	case bsonraw.TypeNull:
		return 5
	case bsonraw.TypeDouble, bsonraw.TypeInt32, bsonraw.TypeInt64, bsonraw.TypeDecimal128:
		return 10
	case bsonraw.TypeString, bsonraw.TypeSymbol:
		return 15
	case bsonraw.TypeDocument:
		return 20
	case bsonraw.TypeArray:
		return 25
	case bsonraw.TypeBinary:
		return 30
	case bsonraw.TypeObjectID:
		return 35
	case bsonraw.TypeBool:
		return 40
	case bsonraw.TypeDate:
		return 45
	case bsonraw.TypeTimestamp:
		return 47
	case bsonraw.TypeRegex:
		return 50
	case bsonraw.TypeDBPointer:
		return 55
	case bsonraw.TypeJavaScript:
		return 60
	case bsonraw.TypeCodeScope:
		return 65
	case bsonraw.TypeMaxKey:
		return 127
	}
	return 0
}
