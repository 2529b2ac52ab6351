package update

import (
	"encoding/binary"
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/decimal"
)

// arena holds the values that operators compute for one document.
type arena struct{ bytes []byte }

func (m *arena) int32(n int32) bsonraw.Value {
	start := len(m.bytes)
	m.bytes = binary.LittleEndian.AppendUint32(m.bytes, uint32(n))
	return bsonraw.Value{Type: bsonraw.TypeInt32, Data: m.bytes[start:]}
}

func (m *arena) int64(n int64) bsonraw.Value {
	start := len(m.bytes)
	m.bytes = binary.LittleEndian.AppendUint64(m.bytes, uint64(n))
	return bsonraw.Value{Type: bsonraw.TypeInt64, Data: m.bytes[start:]}
}

func (m *arena) double(f float64) bsonraw.Value {
	v := m.int64(int64(math.Float64bits(f)))
	v.Type = bsonraw.TypeDouble
	return v
}

// decimal makes a value of a number that was computed in [decimal.Context].
func (m *arena) decimal(d *apd.Decimal) bsonraw.Value {
	high, low := decimal.Pack(d)
	start := len(m.bytes)
	m.bytes = binary.LittleEndian.AppendUint64(m.bytes, low)
	m.bytes = binary.LittleEndian.AppendUint64(m.bytes, high)
	return bsonraw.Value{Type: bsonraw.TypeDecimal128, Data: m.bytes[start:]}
}

func (m *arena) array(elements []bsonraw.Value) bsonraw.Value {
	start := len(m.bytes)
	list := bsonraw.BeginArray(m.bytes)
	for _, v := range elements {
		list.Append(v)
	}
	m.bytes = list.End()
	return bsonraw.Value{Type: bsonraw.TypeArray, Data: m.bytes[start:]}
}
