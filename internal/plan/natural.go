package plan

import (
	"bytes"
	"errors"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// nextInOrder returns the next document of a capped collection in the order of insertion.
func (w *Walk) nextInOrder() (bsonraw.Doc, error) {
	for {
		if w.entries == nil {
			if err := w.openOrder(); err != nil {
				return nil, err
			}
		}
		if !w.entries.Next() {
			return nil, w.endOrder()
		}
		w.last = append(w.last[:0], w.entries.Key()...)
		w.idKey = w.entries.IDKey()
		doc, _, ok, err := w.view.Get(w.buf[:0], w.plan.Collection, w.idKey)
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
	within := store.Range{}
	if w.last != nil && w.plan.Reverse {
		within.To = append(bytes.Clone(w.last), 0)
	} else if w.last != nil {
		within.From = w.last
	}
	entries, err := w.view.Entries(w.plan.Collection.Order, within, w.plan.Reverse)
	if err != nil {
		return err
	}
	err = w.stillThere()
	if err == nil && w.last != nil && (!entries.Next() || !bytes.Equal(entries.Key(), w.last)) {
		err = mongoerr.New(mongoerr.CappedPositionLost, "CollectionScan died due to position in capped collection being deleted")
	}
	if err != nil {
		return errors.Join(err, entries.Close())
	}
	w.entries = entries
	return nil
}

// endOrder ends the walk at the end of the order, or only its view of the store when there may be more later.
func (w *Walk) endOrder() error {
	w.ended = !w.tail || w.last == nil
	err := w.entries.Close()
	w.entries = nil
	if err != nil {
		return err
	}
	return io.EOF
}
