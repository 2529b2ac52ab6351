package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// reply is the reply document under construction.
type reply struct {
	out   []byte // its fields are appended one by one
	start int    // where it begins in out
	room  bsonraw.Grower
}

func (r *reply) appendList(name string, values []bsonraw.Value) {
	r.out = bsonraw.AppendHeader(r.out, bsonraw.TypeArray, name)
	list := bsonraw.BeginArray(r.out)
	for _, v := range values {
		list.Append(v)
	}
	r.out = list.End()
}

// beginCursor begins the cursor document of a reply with its batch.
func (r *reply) beginCursor(batch string) (at int, list bsonraw.ArrayBuilder) {
	r.out, at = bsonraw.BeginElem(r.out, bsonraw.TypeDocument, "cursor")
	r.out = bsonraw.AppendHeader(r.out, bsonraw.TypeArray, batch)
	list = bsonraw.BeginArray(r.out)
	if r.room != nil {
		list.Growing(r)
	}
	return at, list
}

// Grow gives the reply more room. What the reply was in before is gone then.
func (r *reply) Grow(b []byte, n int) []byte {
	r.out = r.room.Grow(b, n)
	return r.out
}

// endCursor ends it; id is 0 when nothing is left.
func (r *reply) endCursor(at int, batch bsonraw.ArrayBuilder, c *cursor, id int64) {
	r.out = batch.End()
	if c.stream != nil {
		r.out = c.stream.appendState(r.out)
	}
	r.out = bsonraw.AppendInt64(r.out, "id", id)
	r.out = bsonraw.AppendString(r.out, "ns", c.ns)
	if c.at != 0 {
		r.out = bsonraw.AppendTimestamp(r.out, "atClusterTime", uint64(c.at))
	}
	r.out = bsonraw.EndDoc(r.out, at)
}

// appendTimes appends the cluster's time and the operation's, as every reply carries them.
func (r *reply) appendTimes(now, at oplog.Timestamp) {
	var times int
	r.out, times = bsonraw.BeginElem(r.out, bsonraw.TypeDocument, "$clusterTime")
	r.out = bsonraw.AppendTimestamp(r.out, "clusterTime", uint64(max(now, at)))
	r.out = append(r.out, noSignature...)
	r.out = bsonraw.EndDoc(r.out, times)
	r.out = bsonraw.AppendTimestamp(r.out, "operationTime", uint64(at))
}

// noSignature is the signature of a cluster without authentication.
var noSignature = func() []byte {
	dst, at := bsonraw.BeginElem(nil, bsonraw.TypeDocument, "signature")
	dst = bsonraw.AppendBinary(dst, "hash", 0, make([]byte, 20))
	dst = bsonraw.AppendInt64(dst, "keyId", 0)
	return bsonraw.EndDoc(dst, at)
}()
