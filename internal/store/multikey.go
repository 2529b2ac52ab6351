package store

import (
	"encoding/binary"
)

// An index notes, for each of its fields, which parts of the path have ever led to an array. A plan that takes an index for
// multikey is slower, never wrong: what is noted is never taken back.

// Arrays returns which parts of field i's path have led to arrays: a bit for each part, the lowest for the first; the highest
// stands for all parts behind it too.
func (x *Index) Arrays(i int) uint64 { return x.arrays[i].Load() }

// Multikey reports whether a document may have several entries.
func (x *Index) Multikey() bool {
	for i := range x.arrays {
		if x.Arrays(i) != 0 {
			return true
		}
	}
	return false
}

// unknown returns the parts of paths that a walk has met arrays at, if the index does not know them all; otherwise nil.
func (x *Index) unknown(arrays []uint64) []uint64 {
	for i, parts := range arrays {
		if parts&^x.Arrays(i) != 0 {
			return append([]uint64(nil), arrays...)
		}
	}
	return nil
}

// arraysVersion begins the record of an index's arrays. Records of the first form have eight bytes: a bit for each field.
const arraysVersion = 1

// noteArrays notes arrays that an index did not know; nil if there are none. The mark comes before the write that makes it so
// and is not part of it: it may stay when that write is dropped, and must not be lost when another one relies on it.
func (x *Index) noteArrays(s *Store, arrays []uint64) error {
	if arrays == nil {
		return nil
	}
	s.multikey.Lock()
	defer s.multikey.Unlock()
	if arrays = x.unknown(arrays); arrays == nil {
		return nil
	}
	record := []byte{arraysVersion}
	for i := range arrays {
		arrays[i] |= x.Arrays(i)
		record = binary.BigEndian.AppendUint64(record, arrays[i])
	}
	if err := s.commit.set(numberedKey(kindMultikey, x.ID), record); err != nil {
		return err
	}
	for i, parts := range arrays {
		x.arrays[i].Store(parts)
	}
	return nil
}

// readArrays takes a record over. What it does not say for sure counts as an array.
func (x *Index) readArrays(record []byte) {
	const everywhere = ^uint64(0)
	for i := range x.arrays {
		parts := everywhere
		switch {
		case len(record) == 8:
			if binary.BigEndian.Uint64(record)>>i&1 == 0 {
				parts = 0
			}
		case len(record) == 1+8*len(x.arrays) && record[0] == arraysVersion:
			parts = binary.BigEndian.Uint64(record[1+8*i:])
		}
		x.arrays[i].Store(parts)
	}
}

// loadMultikeys reads what indexes know of arrays when the store is opened.
func (r reader) loadMultikeys(indexes map[uint32]*Index) error {
	return r.each(kindMultikey, func(key, value []byte) error {
		if x := indexes[binary.BigEndian.Uint32(key[1:])]; x != nil {
			x.readArrays(value)
		}
		return nil
	})
}
