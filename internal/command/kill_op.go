package command

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// killOp {killOp: 1, op: <id>} interrupts the command that currentOp shows under an id, wherever it is by then. The reply is the same if there
// is none.
func killOp(op *operation) error {
	v := op.body.Lookup("op")
	if v.IsMissing() {
		return mongoerr.New(mongoerr.NoSuchKey, "Missing expected field \"op\"")
	}
	if !v.Type.IsNumber() {
		return mongoerr.New(mongoerr.TypeMismatch, "Expected field \"op\" to have numeric type, but found %s", v.Type.Name())
	}
	id, exact := v.AsInt64()
	if f, _ := v.AsFloat64(); !exact || f != math.Trunc(f) {
		return mongoerr.New(mongoerr.BadValue, "Expected field \"op\" to have a value exactly representable as a 64-bit integer, but found %g", f)
	}
	if id < math.MinInt32 || id > math.MaxUint32 {
		return mongoerr.New(26823, "invalid op : %d. Op ID cannot be represented with 32 bits", id)
	}
	if id != 0 {
		op.interrupt(func(r *running) bool { return r.id == int32(id) }, errOpKilled)
	}
	op.out = bsonraw.AppendString(op.out, "info", "attempting to kill op")
	return nil
}

var errOpKilled = mongoerr.New(mongoerr.Interrupted, "operation was interrupted")
