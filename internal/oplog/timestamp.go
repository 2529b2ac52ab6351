package oplog

import "fmt"

// Timestamp is a BSON timestamp: seconds since 1970 in the upper 32 bits, an increment within the second in the lower ones.
// Its order as a number is the order of the commits.
type Timestamp uint64

// MakeTimestamp puts a timestamp together.
func MakeTimestamp(seconds, increment uint32) Timestamp {
	return Timestamp(uint64(seconds)<<32 | uint64(increment))
}

// Seconds returns the seconds since 1970.
func (t Timestamp) Seconds() uint32 { return uint32(t >> 32) }

// Increment returns the count within the second.
func (t Timestamp) Increment() uint32 { return uint32(t) }

// String gives the form that MongoDB's messages use.
func (t Timestamp) String() string {
	return fmt.Sprintf("Timestamp(%d, %d)", t.Seconds(), t.Increment())
}
