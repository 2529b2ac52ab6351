package oplog

import (
	"encoding/binary"
	"fmt"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Op says what kind of entry it is, with the letters of MongoDB's oplog.
type Op byte

// The kinds of entries.
const (
	Insert  Op = 'i'
	Update  Op = 'u'
	Delete  Op = 'd'
	Command Op = 'c'
	NoOp    Op = 'n'
)

// Entry is one oplog entry, taken apart. Its slices are views of Raw.
//
//	i  O is the document, O2 its key {_id: v}
//	u  O is {$v: 2, diff: {...}} or, for a replacement, the new document; O2 is the key
//	d  O is the key
//	c  NS is "db.$cmd" and O the command as MongoDB logs it: create, drop, renameCollection, dropDatabase, createIndexes,
//	   dropIndexes, collMod, applyOps
//	n  nothing happened
type Entry struct {
	TS   Timestamp
	Wall int64 // milliseconds since 1970

	Op        Op
	HasUUID   bool
	HasStmtID bool
	// FromMigrate marks a document that only changes its place, of which change streams do not tell.
	FromMigrate bool
	StmtID      int32

	NS        []byte   // "db.collection"
	UUID      [16]byte // of the collection; meaningful when HasUUID
	O, O2     bsonraw.Doc
	LSID      bsonraw.Doc // of a retryable write or transaction: {id, uid}; nil without
	TxnNumber int64
	Prev      Timestamp // of the statement before it in the same retryable write; 0: it is the first
	Back      int       // in place of Prev: how many entries before it in the same commit that is; 0: it is in none
	Part      Part

	Raw bsonraw.Doc // the entry as it is stored
}

// Part places an applyOps entry within its transaction, whose operations are divided among several entries when they are too
// large for one. All parts have consecutive timestamps.
type Part struct {
	In      bool  // the entry is that of a transaction
	Number  int32 // of the part, from 0
	FirstOp int32 // index of the part's first operation among those of the transaction
	Left    int32 // how many parts follow; the last one's timestamp is the time of the whole
}

// Time returns the cluster time of what the entry tells: its timestamp, or that of the transaction of which it is a part.
func (e *Entry) Time() Timestamp { return e.TS + Timestamp(e.Part.Left) }

// DB returns the database's part of NS.
func (e *Entry) DB() []byte {
	db, _ := SplitNS(e.NS)
	return db
}

// Coll returns the collection's part of NS.
func (e *Entry) Coll() []byte {
	_, coll := SplitNS(e.NS)
	return coll
}

// SplitNS splits a namespace at its first dot.
func SplitNS(ns []byte) (db, coll []byte) {
	for i, c := range ns {
		if c == '.' {
			return ns[:i], ns[i+1:]
		}
	}
	return ns, nil
}

// Places are where in an encoded entry its parts stand: the timestamps, eight bytes each, which are known only when it is committed.
type Places struct {
	O    int
	TS   int
	Prev int // of an entry before in the same commit, of the same transaction or retryable write; 0: there is none
	Back int // how many entries before
}

// Put writes the timestamps into an encoded entry.
func (p Places) Put(raw []byte, ts Timestamp) {
	binary.LittleEndian.PutUint64(raw[p.TS:], uint64(ts))
	if p.Prev != 0 {
		binary.LittleEndian.PutUint64(raw[p.Prev:], uint64(ts-Timestamp(p.Back)))
	}
}

// Append encodes e (all but Raw) in MongoDB's field order and returns where its timestamps stand.
func (e *Entry) Append(dst []byte) (out []byte, at Places) {
	dst, begin := bsonraw.BeginDoc(dst)
	if e.LSID != nil {
		dst = bsonraw.AppendDoc(dst, "lsid", e.LSID)
		dst = bsonraw.AppendInt64(dst, "txnNumber", e.TxnNumber)
	}
	dst = bsonraw.AppendString(dst, "op", []byte{byte(e.Op)})
	dst = bsonraw.AppendString(dst, "ns", e.NS)
	if e.HasUUID {
		dst = bsonraw.AppendBinary(dst, "ui", bsonraw.SubtypeUUID, e.UUID[:])
	}
	dst = bsonraw.AppendDoc(dst, "o", e.O)
	at.O = len(dst) - len(e.O) - begin
	if e.O2 != nil {
		dst = bsonraw.AppendDoc(dst, "o2", e.O2)
	}
	if e.FromMigrate {
		dst = bsonraw.AppendBool(dst, "fromMigrate", true)
	}
	if e.HasStmtID {
		dst = bsonraw.AppendInt32(dst, "stmtId", e.StmtID)
	}
	dst = bsonraw.AppendTimestamp(dst, "ts", uint64(e.TS))
	at.TS = len(dst) - 8 - begin
	dst = bsonraw.AppendInt64(dst, "t", 1)
	dst = bsonraw.AppendInt64(dst, "v", 2)
	dst = bsonraw.AppendDate(dst, "wall", e.Wall)
	switch {
	case e.Part.In && e.Part.Number > 0:
		dst, at.Prev = appendPrev(dst, 0, true)
		at.Back = 1
	case e.Part.In:
		dst, _ = appendPrev(dst, 0, false)
	case e.HasStmtID:
		dst, at.Prev = appendPrev(dst, e.Prev, e.Back > 0)
		at.Back = e.Back
	}
	if at.Prev != 0 {
		at.Prev -= begin
	}
	return bsonraw.EndDoc(e.Part.append(dst), begin), at
}

// appendPrev encodes prevOpTime: of an entry before, or of none. Where it is in the same commit its time is known later, and at is where.
func appendPrev(dst []byte, prev Timestamp, later bool) (out []byte, at int) {
	term := int64(-1)
	dst, begin := bsonraw.BeginElem(dst, bsonraw.TypeDocument, "prevOpTime")
	dst = bsonraw.AppendTimestamp(dst, "ts", uint64(prev))
	if later {
		at = len(dst) - 8
	}
	if later || prev != 0 {
		term = 1
	}
	return bsonraw.EndDoc(bsonraw.AppendInt64(dst, "t", term), begin), at
}

// append encodes how the parts of a transaction lie about this one, which MongoDB has not. Shown takes it away.
func (p Part) append(dst []byte) []byte {
	if p.Number == 0 && p.Left == 0 {
		return dst
	}
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, partName)
	dst = bsonraw.AppendInt32(dst, "number", p.Number)
	dst = bsonraw.AppendInt32(dst, "firstOp", p.FirstOp)
	dst = bsonraw.AppendInt32(dst, "left", p.Left)
	return bsonraw.EndDoc(dst, at)
}

const (
	partName = "part"
	// partBytes is how much of an entry's end the part takes, before its last byte: its name, and three numbers with theirs.
	partBytes = 1 + len(partName) + 1 + 4 + 3*(1+1+4) + len("number") + len("firstOp") + len("left") + 1
)

// Shown is an encoded entry as clients see it, without what only this server's entries have. The result is raw itself, or a copy in dst.
func Shown(dst []byte, raw bsonraw.Doc) bsonraw.Doc {
	at := len(raw) - 1 - partBytes
	if at < 4 || raw[at] != byte(bsonraw.TypeDocument) || string(raw[at+1:at+2+len(partName)]) != partName+"\x00" {
		return raw
	}
	dst = append(append(dst[:0], raw[:at]...), 0)
	binary.LittleEndian.PutUint32(dst, uint32(len(dst)))
	return dst
}

// parsePart reads what append has encoded.
func parsePart(d bsonraw.Doc) Part {
	return Part{In: true, Number: d.Lookup("number").Int32(), FirstOp: d.Lookup("firstOp").Int32(), Left: d.Lookup("left").Int32()}
}

// Parse takes an encoded entry apart. The entry keeps raw.
func Parse(raw bsonraw.Doc) (*Entry, error) {
	e := &Entry{Raw: raw}
	return e, e.Reset(raw)
}

// Reset makes e the entry that raw encodes, so that a reader can use one Entry for many.
func (e *Entry) Reset(raw bsonraw.Doc) error {
	*e = Entry{Raw: raw}
	for it := raw.Iter(); it.Next(); {
		e.setField(it.Key(), it.Value())
	}
	if e.Op == 0 || e.TS == 0 || e.O == nil {
		return fmt.Errorf("parse oplog entry: op, ts or o is missing in %d bytes", len(raw))
	}
	return nil
}

func (e *Entry) setField(key []byte, v bsonraw.Value) {
	switch string(key) {
	case "op":
		if b := v.Bytes(); len(b) == 1 {
			e.Op = Op(b[0])
		}
	case "ns":
		e.NS = v.Bytes()
	case "ui":
		if _, b := v.Binary(); len(b) == 16 {
			copy(e.UUID[:], b)
			e.HasUUID = true
		}
	case "o":
		e.O = v.Doc()
	case "o2":
		e.O2 = v.Doc()
	case "ts":
		e.TS = Timestamp(v.Int64())
	case "wall":
		e.Wall = v.Int64()
	case "lsid":
		e.LSID = v.Doc()
	case "txnNumber":
		e.TxnNumber = v.Int64()
	case partName:
		e.Part = parsePart(v.Doc())
	case "fromMigrate":
		e.FromMigrate = v.Truthy()
	case "stmtId":
		e.StmtID, e.HasStmtID = v.Int32(), true
	}
}
