package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// profile {profile: 0 | -1} tells how a database's commands are recorded: they are not. The levels 1 and 2, and what is to be
// recorded, slowms, sampleRate and filter, are not supported. Other arguments are accepted and not used.
func profile(op *operation) error {
	var level int64
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "profile":
			return a.integer(&level)
		case "slowms", "sampleRate":
			if !a.Type.IsNumber() {
				return a.integer(new(int64))
			}
			if f, _ := a.AsFloat64(); name == "sampleRate" && !(f >= 0 && f <= 1) {
				return mongoerr.New(mongoerr.BadValue, "'sampleRate' must be between 0.0 and 1.0 inclusive")
			}
			return a.unsupported()
		case "filter":
			return a.unsupported()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if level == 1 || level == 2 {
		return mongoerr.New(mongoerr.CommandNotSupported, "profile: level %d is not supported by this server; it does not record commands", level)
	}
	op.out = bsonraw.AppendInt32(op.out, "was", 0)
	op.out = bsonraw.AppendInt32(op.out, "slowms", 100)
	op.out = bsonraw.AppendDouble(op.out, "sampleRate", 1)
	return nil
}
