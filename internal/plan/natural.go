package plan

import (
	"bytes"
	"errors"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// orderWalk is where a walk is in the order of insertion of a capped collection.
type orderWalk struct {
	entries *store.Entries
	last    []byte // key of the last entry
}

// nextInOrder returns the next document of a capped collection in the order of insertion.
func (w *Walk) nextInOrder() (bsonraw.Doc, error) {
	o := &w.inOrder
	for {
		if o.entries == nil {
			if err := w.openOrder(); err != nil {
				return nil, err
			}
		}
		if !o.entries.Next() {
			return nil, w.endOrder()
		}
		o.last = append(o.last[:0], o.entries.Key()...)
		w.idKey = o.entries.IDKey()
		doc, ok, err := getDocument(w)
		if err != nil {
			return nil, err
		}
		if ok { // it may have gone since the walk began
			w.buf = doc
			return doc, nil
		}
	}
}

// openOrder opens a view of the order, behind the last document if there was one. Where that is gone, so may be others that
// came after it: then the walk cannot go on (136).
func (w *Walk) openOrder() error {
	o, reverse := &w.inOrder, w.plan.branches[0].scan.reverse
	within := store.Range{}
	if o.last != nil && reverse {
		within.To = append(bytes.Clone(o.last), 0)
	} else if o.last != nil {
		within.From = o.last
	}
	entries, err := w.view.Entries(w.plan.Collection.Order, within, reverse)
	if err != nil {
		return err
	}
	err = w.stillThere(w.plan.Collection.Order)
	if err == nil && o.last != nil && (!entries.Next() || !bytes.Equal(entries.Key(), o.last)) {
		err = mongoerr.New(mongoerr.CappedPositionLost, "CollectionScan died due to position in capped collection being deleted")
	}
	if err != nil {
		return errors.Join(err, entries.Close())
	}
	o.entries = entries
	return nil
}

// endOrder ends the walk at the end of the order, or only its view of the store when there may be more later.
func (w *Walk) endOrder() error {
	w.ended = !w.tail || w.inOrder.last == nil
	if err := w.inOrder.close(); err != nil {
		return err
	}
	return io.EOF
}

// close lets go of the view of the order.
func (o *orderWalk) close() (err error) {
	if o.entries != nil {
		err = o.entries.Close()
	}
	o.entries = nil
	return err
}
