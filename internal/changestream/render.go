package changestream

import (
	"strconv"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/oplog"
)

// form is which of the fields that a stream may ask for are in an event. Events of one form are equal for all streams.
type form uint8

const (
	formExpanded  form = 1 << iota // showExpandedEvents
	formRawUpdate                  // showRawUpdateDescription
	formPlaces                     // for stages: fields that the event lacks have vacant places
)

// renderer encodes events and tokens. It is memory and nothing else, taken from a pool for one call of Fill.
type renderer struct {
	token   tokenWriter
	change  change
	op      operation
	scratch []byte // what changes hold that entries do not
	out     []byte

	imaged []byte // an event with images
	ns     []byte

	updated, removed, truncated, ambiguous []byte // parts of an updateDescription

	expressions expression.Context
}

var renderers = sync.Pool{New: func() any { return new(renderer) }}

// maxKept bounds the buffers that go back to the pool.
const maxKept = 1 << 20

func (r *renderer) release() {
	r.change, r.op = change{}, operation{}
	r.expressions.Reset()
	if cap(r.out)+cap(r.scratch)+cap(r.updated)+cap(r.imaged) <= maxKept {
		renderers.Put(r)
	}
}

// read makes the change of an entry, which stays valid until the next call. ok is false when the entry is no event of any
// stream.
func (r *renderer) read(e *oplog.Entry) (c *change, ok bool) {
	r.op = operation{op: e.Op, ns: e.NS, uuid: e.UUID, hasUUID: e.HasUUID, o: e.O, o2: e.O2}
	r.change = change{ts: e.TS, wall: e.Wall}
	ok, r.scratch = r.change.read(&r.op, r.scratch[:0])
	return &r.change, ok
}

// appendEvent encodes an event in MongoDB's order of fields.
func (r *renderer) appendEvent(dst []byte, c *change, f form) ([]byte, error) {
	dst, at := bsonraw.BeginDoc(dst)
	if c.to != nil && !c.invalidate {
		dst = appendNamespace(dst, "to", c.to)
	}
	if c.lsid != nil {
		dst = bsonraw.AppendInt64(dst, "txnNumber", c.txnNumber)
		dst = bsonraw.AppendDoc(dst, "lsid", c.lsid)
	}
	dst = bsonraw.AppendHeader(dst, bsonraw.TypeDocument, "_id")
	r.token.event(c, tokenV2)
	dst = r.token.appendDoc(dst)
	operationType := c.kind.operationType()
	if c.invalidate {
		operationType = operationInvalidate
	}
	dst = bsonraw.AppendString(dst, "operationType", operationType)
	dst = bsonraw.AppendTimestamp(dst, "clusterTime", uint64(c.ts))
	asked := f
	if c.view || c.invalidate {
		f &^= formPlaces
	}
	switch {
	case f&formExpanded == 0 || c.hideUUID || c.invalidate:
	case c.hasUUID:
		dst = bsonraw.AppendBinary(dst, "collectionUUID", bsonraw.SubtypeUUID, c.uuid[:])
	case f&formPlaces != 0:
		dst = bsonraw.AppendVacant(dst, "collectionUUID")
	}
	dst = bsonraw.AppendDate(dst, "wallTime", c.wall)
	if c.invalidate {
		return bsonraw.EndDoc(dst, at), nil
	}
	dst = f.appendDoc(dst, "fullDocument", c.full)
	dst = appendNamespaceParts(dst, "ns", c.db, c.coll)
	dst = f.appendDoc(dst, "documentKey", c.key)
	if f&formExpanded != 0 {
		dst = asked.appendDoc(dst, "operationDescription", c.description) // the one that events of views have a place for
	}
	var err error
	if c.kind == kindUpdate {
		dst, err = r.appendUpdate(dst, c, f)
	} else {
		dst = f.appendDoc(dst, f.updateField(), nil)
	}
	dst = f.appendDoc(dst, "stateBeforeChange", c.before)
	return bsonraw.EndDoc(dst, at), err
}

// appendDoc encodes a field; of one that the event lacks at most the place.
func (f form) appendDoc(dst []byte, name string, doc bsonraw.Doc) []byte {
	switch {
	case doc != nil:
		return bsonraw.AppendDoc(dst, name, doc)
	case f&formPlaces != 0:
		return bsonraw.AppendVacant(dst, name)
	}
	return dst
}

// updateField is the name of the field with what an update changed.
func (f form) updateField() string {
	if f&formRawUpdate != 0 {
		return "rawUpdateDescription"
	}
	return "updateDescription"
}

func appendNamespace(dst []byte, name string, ns []byte) []byte {
	db, coll := oplog.SplitNS(ns)
	return appendNamespaceParts(dst, name, db, coll)
}

func appendNamespaceParts(dst []byte, name string, db, coll []byte) []byte {
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, name)
	dst = bsonraw.AppendString(dst, "db", db)
	if coll != nil {
		dst = bsonraw.AppendString(dst, "coll", coll)
	}
	return bsonraw.EndDoc(dst, at)
}

// appendUpdate encodes what an update changed.
func (r *renderer) appendUpdate(dst []byte, c *change, f form) ([]byte, error) {
	if f&formRawUpdate != 0 {
		return bsonraw.AppendDoc(dst, f.updateField(), c.update), nil
	}
	if err := r.describe(c.diff); err != nil {
		return dst, err
	}
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, f.updateField())
	dst = bsonraw.AppendDoc(dst, "updatedFields", bsonraw.Doc(r.updated))
	dst = bsonraw.AppendArray(dst, "removedFields", bsonraw.Doc(r.removed))
	dst = bsonraw.AppendArray(dst, "truncatedArrays", bsonraw.Doc(r.truncated))
	if f&formExpanded != 0 {
		dst = bsonraw.AppendDoc(dst, "disambiguatedPaths", bsonraw.Doc(r.ambiguous))
	}
	return bsonraw.EndDoc(dst, at), nil
}

// describe flattens a diff into the parts of an updateDescription.
func (r *renderer) describe(diff bsonraw.Doc) error {
	removed, truncated := 0, 0
	r.updated, _ = bsonraw.BeginDoc(r.updated[:0])
	r.removed, _ = bsonraw.BeginDoc(r.removed[:0])
	r.truncated, _ = bsonraw.BeginDoc(r.truncated[:0])
	r.ambiguous, _ = bsonraw.BeginDoc(r.ambiguous[:0])
	err := oplog.Walk(diff, func(ch oplog.Change) error {
		switch ch.Kind {
		case oplog.FieldChanged, oplog.FieldCreated:
			r.updated = append(ch.Path.Append(append(r.updated, byte(ch.Value.Type))), 0)
			r.updated = append(r.updated, ch.Value.Data...)
		case oplog.FieldRemoved:
			r.removed = appendIndex(r.removed, bsonraw.TypeString, removed)
			r.removed = appendPathString(r.removed, ch.Path)
			removed++
		case oplog.ArrayTruncated:
			r.truncated = appendIndex(r.truncated, bsonraw.TypeDocument, truncated)
			r.truncated = appendTruncation(r.truncated, ch)
			truncated++
		}
		if ch.Path.Ambiguous() {
			r.ambiguous = append(ch.Path.Append(append(r.ambiguous, byte(bsonraw.TypeArray))), 0)
			r.ambiguous = ch.Path.AppendComponents(r.ambiguous)
		}
		return nil
	})
	r.updated, r.removed = bsonraw.EndDoc(r.updated, 0), bsonraw.EndDoc(r.removed, 0)
	r.truncated, r.ambiguous = bsonraw.EndDoc(r.truncated, 0), bsonraw.EndDoc(r.ambiguous, 0)
	return err
}

func appendIndex(dst []byte, t bsonraw.Type, i int) []byte {
	return append(strconv.AppendInt(append(dst, byte(t)), int64(i), 10), 0)
}

// appendPathString appends a string's value: the dotted path.
func appendPathString(dst []byte, p oplog.Path) []byte {
	at := len(dst)
	dst = append(p.Append(append(dst, 0, 0, 0, 0)), 0)
	n := len(dst) - at - 4
	dst[at], dst[at+1], dst[at+2], dst[at+3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	return dst
}

func appendTruncation(dst []byte, ch oplog.Change) []byte {
	dst, at := bsonraw.BeginDoc(dst)
	dst = appendPathString(bsonraw.AppendHeader(dst, bsonraw.TypeString, "field"), ch.Path)
	dst = bsonraw.AppendInt32(dst, "newSize", ch.NewSize)
	return bsonraw.EndDoc(dst, at)
}
