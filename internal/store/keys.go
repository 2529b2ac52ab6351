package store

import (
	"encoding/binary"

	"github.com/sluicestream/sluice/internal/oplog"
)

// The kinds of keys. Each key begins with the byte of its kind; numbers in keys are big-endian, so that they sort.
//
//	meta      name                             -> format version and such
//	catalog   collection id (4)                -> collection record, BSON
//	document  collection id (4) key of _id     -> commit timestamp (8), document
//	place     collection id (4) key of _id     -> in a capped collection: timestamp of the insert (8)
//	index     id of the index (4) keys of the values, key of _id -> length of the key of _id (4)
//	multikey  id of the index (4)                   -> for each field which parts of its path have led to arrays (1 + 8 a field)
//	buildlog  id of an index that is built (4) number (8) -> a change of its entries by a write: see build_log.go
//	oplog     -                                -> floor: timestamp (8) of the oldest entry kept
//	oplog     timestamp (8)                    -> entry, BSON
//	mark      timestamp (8)                    -> bytes of oplog entries up to there since the mark before (8)
//	image     timestamp (8) index in the transaction (4) -> document before the operation
//	retry     session (16 or more) statement (4) -> transaction number (8), timestamp (8), result
const (
	kindMeta     = 0x01
	kindCatalog  = 0x02
	kindDocument = 0x10
	kindPlace    = 0x11
	kindIndex    = 0x20
	kindMultikey = 0x21
	kindBuildLog = 0x22
	kindOplog    = 0x30
	kindMark     = 0x31
	kindImage    = 0x32
	kindRetry    = 0x40
)

func metaKey(name string) []byte { return append([]byte{kindMeta}, name...) }

func numberedKey(kind byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, id)
}

func appendNumbered(dst []byte, kind byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, kind), id)
}

func timestampKey(kind byte, ts oplog.Timestamp) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(ts))
}

// keyTimestamp reads the timestamp out of an oplog or mark key.
func keyTimestamp(key []byte) oplog.Timestamp {
	return oplog.Timestamp(binary.BigEndian.Uint64(key[1:]))
}

// floorKey sorts before every oplog entry, so that one iterator sees the floor and the entries of one moment.
var floorKey = []byte{kindOplog}

// after returns the smallest key that is greater than every key with the prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
