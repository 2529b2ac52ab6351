package plan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// Walk hands out the documents of a plan, each once. Between Pause and the next Next it holds nothing of the store: it goes on
// behind the last document, in the state that the store has then.
type Walk struct {
	plan    *Plan
	view    store.View
	ranges  []store.Range // what is left, in the direction of the walk
	docs    *store.Docs
	entries *store.Entries
	seen    map[string]struct{} // keys of _id, where a document may have several entries
	last    []byte              // key of the last document or entry
	idKey   []byte
	buf     []byte
	looked  int
	tail    bool // the end is only the end for now
	ended   bool
}

// Open begins a walk of what the view has. Close ends it.
func (p *Plan) Open(view store.View) *Walk {
	w := &Walk{plan: p, view: view, ranges: slices.Clone(p.ranges)}
	if p.Index == nil {
		w.ranges = []store.Range{{}}
	}
	if p.Reverse {
		slices.Reverse(w.ranges)
	}
	if p.Index != nil && p.Index.AnyMultikey() {
		w.seen = map[string]struct{}{}
	}
	return w
}

// Tail makes a walk over all documents of a capped collection one whose end is only the end for now: after io.EOF, Next goes on
// with what was inserted since. Only where there was no document at all, the end is final, as Ended tells.
func (w *Walk) Tail() { w.tail = true }

// Tailing reports whether Tail was called.
func (w *Walk) Tailing() bool { return w.tail }

// Ended reports whether nothing can come any more.
func (w *Walk) Ended() bool { return w.ended }

// checkEvery is after how many documents a walk looks whether its context has ended.
const checkEvery = 256

// Next returns the next matching document, valid until the next call, or io.EOF. Its key of _id is IDKey.
func (w *Walk) Next(ctx context.Context) (bsonraw.Doc, error) {
	for {
		if w.looked++; w.looked%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		doc, err := w.next()
		if err != nil {
			return nil, err
		}
		ok, err := w.plan.filter.Match(doc)
		if err != nil {
			return nil, err
		}
		if ok {
			return doc, nil
		}
	}
}

// IDKey returns the key of the current document's _id, valid until the next call.
func (w *Walk) IDKey() []byte { return w.idKey }

// Looked returns how many documents were looked at, matching or not.
func (w *Walk) Looked() int { return w.looked }

// next returns the next document, matching or not.
func (w *Walk) next() (bsonraw.Doc, error) {
	if w.ended {
		return nil, io.EOF
	}
	if w.plan.point != nil {
		return w.getPoint()
	}
	switch x := w.plan.Index; {
	case x == nil && w.plan.Collection.Order != nil:
		return w.nextInOrder()
	case x == nil || x.IsID():
		return w.nextDoc()
	}
	return w.nextEntry()
}

func (w *Walk) getPoint() (bsonraw.Doc, error) {
	w.ended = true
	w.idKey = w.plan.point
	doc, _, ok, err := w.view.Get(w.buf[:0], w.plan.Collection, w.idKey)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, io.EOF
	}
	w.buf = doc
	return doc, nil
}

func (w *Walk) nextDoc() (bsonraw.Doc, error) {
	for {
		if w.docs == nil {
			if len(w.ranges) == 0 {
				w.ended = true
				return nil, io.EOF
			}
			docs, err := w.view.Docs(w.plan.Collection, w.rest(), w.plan.Reverse)
			if err != nil {
				return nil, err
			}
			if err := w.stillThere(); err != nil {
				return nil, errors.Join(err, docs.Close())
			}
			w.docs = docs
		}
		if w.docs.Next() {
			w.idKey = w.docs.IDKey()
			return w.docs.Doc(), nil
		}
		err := w.docs.Close()
		w.docs, w.last, w.ranges = nil, nil, w.ranges[1:]
		if err != nil {
			return nil, err
		}
	}
}

func (w *Walk) nextEntry() (bsonraw.Doc, error) {
	for {
		if w.entries == nil {
			if len(w.ranges) == 0 {
				w.ended = true
				return nil, io.EOF
			}
			entries, err := w.view.Entries(w.plan.Index, w.rest(), w.plan.Reverse)
			if err != nil {
				return nil, err
			}
			if err := w.stillThere(); err != nil {
				return nil, errors.Join(err, entries.Close())
			}
			w.entries = entries
		}
		if !w.entries.Next() {
			err := w.entries.Close()
			w.entries, w.last, w.ranges = nil, nil, w.ranges[1:]
			if err != nil {
				return nil, err
			}
			continue
		}
		if w.repeated() {
			continue
		}
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

// stillThere checks, after a view of the store was opened, that the view had what the plan is made for.
func (w *Walk) stillThere() error {
	c := w.plan.Collection
	now := w.view.Catalog().Collection(c.DB, c.Name)
	if now == nil || now.ID != c.ID {
		return mongoerr.New(mongoerr.QueryPlanKilled, "collection dropped or renamed while it was read: %s", c.NS())
	}
	if x := w.plan.Index; x != nil && now.Index(x.Name) != x || now.Order != c.Order {
		return mongoerr.New(mongoerr.QueryPlanKilled, "index '%s' of %s dropped while it was read", x.Name, c.NS())
	}
	return nil
}

// repeated notes the current entry's document and reports whether it was there before.
func (w *Walk) repeated() bool {
	if w.seen == nil {
		return false
	}
	if _, ok := w.seen[string(w.entries.IDKey())]; ok {
		return true
	}
	w.seen[string(w.entries.IDKey())] = struct{}{}
	return false
}

// rest returns the first range less what was walked of it before a pause.
func (w *Walk) rest() store.Range {
	r := w.ranges[0]
	if w.last == nil {
		return r
	}
	if w.plan.Reverse {
		r.To = w.last
	} else {
		r.From = append(w.last, 0)
	}
	return r
}

// Pause lets go of what the walk holds. The next Next goes on.
func (w *Walk) Pause() error {
	switch {
	case w.docs != nil:
		w.last = bytes.Clone(w.docs.IDKey())
		err := w.docs.Close()
		w.docs = nil
		return err
	case w.entries != nil:
		w.last = bytes.Clone(w.entries.Key())
		err := w.entries.Close()
		w.entries = nil
		return err
	}
	return nil
}

// Close ends the walk.
func (w *Walk) Close() error {
	err := w.Pause()
	w.ended = true
	return err
}
