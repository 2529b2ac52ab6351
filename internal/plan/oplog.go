package plan

import (
	"bytes"
	"errors"
	"io"
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// onOplog makes the plan for a query of the oplog: all entries, or those between the least and the greatest timestamp that it
// takes.
func (q Query) onOplog(c *store.Collection) *Plan {
	p := &Plan{Collection: c, filter: q.Filter, Sorted: q.Order == nil}
	within := store.Range{}
	for _, on := range q.Filter.Conjunction().Predicates {
		list, ok := on.Ranges(nil)
		if on.Path != "ts" || !ok || len(list) == 0 {
			continue
		}
		if low := list[0].Low; low.Type == bsonraw.TypeTimestamp {
			within = narrow(within, store.AppendOplogKey(nil, uint64(low.Int64())), nil)
		}
		if high := list[len(list)-1].High; high.Type == bsonraw.TypeTimestamp && uint64(high.Int64()) < math.MaxUint64 {
			within = narrow(within, nil, store.AppendOplogKey(nil, uint64(high.Int64())+1))
		}
	}
	p.branches = []branch{{scan: &scan{ranges: []keyRange{{Range: within}}, reverse: q.Hint.Natural < 0}}}
	return p
}

// narrow makes a range begin at from or end at to, if that makes it smaller.
func narrow(r store.Range, from, to []byte) store.Range {
	if from != nil && bytes.Compare(from, r.From) > 0 {
		r.From = from
	}
	if to != nil && (r.To == nil || bytes.Compare(to, r.To) < 0) {
		r.To = to
	}
	return r
}

// oplogWalk is where a walk is in the oplog.
type oplogWalk struct {
	docs *store.Docs
	last []byte // key of the last entry
}

// nextInOplog returns the next entry.
func (w *Walk) nextInOplog() (bsonraw.Doc, error) {
	o := &w.inOplog
	if o.docs == nil {
		if err := w.openOplog(); err != nil {
			return nil, err
		}
	}
	if o.docs.Next() {
		o.last = append(o.last[:0], o.docs.IDKey()...)
		w.idKey = o.last
		return o.docs.Doc(), nil
	}
	w.ended = !w.tail
	if err := o.close(); err != nil {
		return nil, err
	}
	return nil, io.EOF
}

// openOplog opens a view of the oplog, behind the last entry if there was one. Where that was trimmed away, so may be others
// that came after it: then the walk cannot go on (136).
func (w *Walk) openOplog() error {
	o, s := &w.inOplog, w.plan.branches[0].scan
	within := s.ranges[0].Range
	if o.last != nil && s.reverse {
		within.To = append(bytes.Clone(o.last), 0)
	} else if o.last != nil {
		within.From = o.last
	}
	docs, err := w.view.Docs(w.plan.Collection, within, s.reverse)
	if err != nil {
		return err
	}
	if o.last != nil && (!docs.Next() || !bytes.Equal(docs.IDKey(), o.last)) {
		err = mongoerr.New(mongoerr.CappedPositionLost, "CollectionScan died due to position in capped collection being deleted")
		return errors.Join(err, docs.Close())
	}
	o.docs = docs
	return nil
}

// close lets go of the view of the oplog.
func (o *oplogWalk) close() (err error) {
	if o.docs != nil {
		err = o.docs.Close()
	}
	o.docs = nil
	return err
}
