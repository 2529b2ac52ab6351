package plan

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/store"
)

// Walk hands out the documents of a plan, each once. Between Pause and the next Next it holds nothing of the store: it goes on
// behind the last document, in the state that the store has then.
type Walk struct {
	plan    *Plan
	view    store.View
	all     []*stream           // one for each branch of the plan
	streams []*stream           // those that are left, in their order; the first is walked
	waiting heap                // of a merge: the streams that stand at an entry that was not handed out
	current *stream             // the one that gave the last document
	seen    map[string]struct{} // keys of _id, where a document may come up several times
	idKey   []byte
	buf     []byte
	docs    int64 // documents that were tested
	matched int64
	repeats int64              // entries of documents that came up before
	spent   int                // effort since it was seen that the context had not ended
	context expression.Context // of slow filters
	inOrder orderWalk
	inOplog oplogWalk
	tail    bool // the end is only the end for now
	ended   bool
}

// Open begins a walk of what the view has. Close ends it.
func (p *Plan) Open(view store.View) *Walk {
	w := &Walk{plan: p, view: view}
	multikey := false
	for i := range p.branches {
		b := &p.branches[i]
		w.all = append(w.all, newStream(b, p))
		multikey = multikey || b.scan.index != nil && b.scan.index.Multikey()
		if x := b.scan.index; x != nil && (i == 0 || x != p.branches[i-1].scan.index) {
			x.Whole().Uses.Add(1)
		}
	}
	if p.kind == pointRead {
		p.Collection.Indexes[0].Uses.Add(1)
	}
	if w.streams = w.all; p.kind == merge {
		w.streams = slices.Clone(w.all)
	}
	if multikey || !p.apart() {
		w.seen = map[string]struct{}{}
	}
	return w
}

// apart reports whether no two branches of the plan have the same entry: they are parts of one scan.
func (p *Plan) apart() bool {
	for _, b := range p.branches {
		if b.scan != p.branches[0].scan {
			return false
		}
	}
	return true
}

// Tail makes a walk over all documents of a capped collection one whose end is only the end for now: after io.EOF, Next goes on
// with what was inserted since. Only where there was no document at all, the end is final, as Ended tells.
func (w *Walk) Tail() { w.tail = true }

// Tailing reports whether Tail was called.
func (w *Walk) Tailing() bool { return w.tail }

// Ended reports whether nothing can come any more.
func (w *Walk) Ended() bool { return w.ended }

// effortToStop is what a walk spends between two looks at whether its context has ended, in bytes that are read; docEffort is what
// finding a document costs.
const (
	effortToStop = 64 << 10
	docEffort    = effortToStop / 256
)

// Next returns the next matching document, valid until the next call, or io.EOF. Its key of _id is IDKey.
func (w *Walk) Next(ctx context.Context) (bsonraw.Doc, error) {
	for {
		doc, err := w.next()
		if err != nil {
			return nil, err
		}
		w.docs++
		ok, err := w.match(ctx, doc)
		if err != nil {
			return nil, err
		}
		if ok {
			w.matched++
			return doc, nil
		}
	}
}

// match reports whether the plan's filter takes a document, and fails when ctx has ended.
func (w *Walk) match(ctx context.Context, doc bsonraw.Doc) (bool, error) {
	slow := w.plan.filter.IsSlow()
	if w.spent += docEffort + len(doc); slow || w.spent >= effortToStop {
		w.spent = 0
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	if !slow {
		return w.plan.filter.Match(doc)
	}
	w.context.Reset()
	w.context.StopWith(ctx)
	return w.plan.filter.MatchWith(&w.context, doc)
}

// IDKey returns the key of the current document's _id, valid until the next call.
func (w *Walk) IDKey() []byte { return w.idKey }

// Looked returns how many documents were looked at, matching or not.
func (w *Walk) Looked() int { return int(w.docs) }

// next returns the next document, matching or not.
func (w *Walk) next() (bsonraw.Doc, error) {
	if w.ended {
		return nil, io.EOF
	}
	switch {
	case w.plan.impossible:
		return nil, errNoPlan
	case w.plan.kind == pointRead:
		return w.getPoint()
	case w.plan.Collection.Oplog:
		return w.nextInOplog()
	case w.plan.kind == scanAll && w.plan.Collection.Order != nil:
		return w.nextInOrder()
	}
	for {
		s, err := w.step()
		if err != nil {
			return nil, err
		}
		if s == nil {
			w.ended = true
			return nil, io.EOF
		}
		if w.current = s; w.repeated(s) {
			continue
		}
		w.idKey = s.idKey()
		if s.docs != nil {
			return s.docs.Doc(), nil
		}
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

// few is for how many documents a walk may well be one that is made again and again, as by a unique key.
const few = 16

// getDocument gets the document that a walk stands at.
func getDocument(w *Walk) (doc bsonraw.Doc, ok bool, err error) {
	get := w.view.GetOnce
	if w.docs < few {
		get = w.view.Get
	}
	doc, _, ok, err = get(w.buf[:0], w.plan.Collection, w.idKey)
	return doc, ok, err
}

func (w *Walk) getPoint() (bsonraw.Doc, error) {
	w.ended = true
	w.idKey = w.plan.point
	doc, ok, err := getDocument(w)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, io.EOF
	}
	w.buf = doc
	return doc, nil
}

// step moves to the next entry or document of the plan and returns the stream that stands at it, or nil at the end.
func (w *Walk) step() (*stream, error) {
	if w.plan.kind == merge {
		return w.stepMerge()
	}
	for len(w.streams) > 0 {
		s := w.streams[0]
		ok, err := s.step(w)
		if ok || err != nil {
			return s, err
		}
		w.streams = w.streams[1:]
	}
	return nil, nil
}

// stepMerge moves the stream on that gave the last document, and takes the one with the least key.
func (w *Walk) stepMerge() (*stream, error) {
	for _, s := range w.streams { // at the beginning and after a pause: all
		if s.isOpen() {
			s.last = append(s.last[:0], s.key()...) // a pause may come when it stands at the next and has not given it
		}
		ok, err := s.step(w)
		if err != nil {
			return nil, err
		}
		if ok {
			w.waiting.push(s)
		}
	}
	w.streams = w.streams[:0]
	if len(w.waiting) == 0 {
		return nil, nil
	}
	s := w.waiting.pop()
	w.streams = append(w.streams, s)
	return s, nil
}

// stillThere checks, after a view of the store was opened, that the view had what the plan is made for.
func (w *Walk) stillThere(x *store.Index) error {
	c := w.plan.Collection
	now := w.view.Catalog().Collection(c.DB, c.Name)
	if now == nil || now.ID != c.ID {
		return mongoerr.New(mongoerr.QueryPlanKilled, "collection dropped or renamed while it was read: %s", c.NS())
	}
	if now.Order != c.Order {
		return mongoerr.New(mongoerr.QueryPlanKilled, "the order of %s changed while it was read", c.NS())
	}
	if x == nil || x == c.Order {
		return nil
	}
	if same := now.Index(x.Name); same == nil || same.ID != x.ID {
		return mongoerr.New(mongoerr.QueryPlanKilled, "index '%s' of %s dropped while it was read", x.Name, c.NS())
	}
	return nil
}

// repeated notes the document that a stream stands at and reports whether it was there before.
func (w *Walk) repeated(s *stream) bool {
	if w.seen == nil {
		return false
	}
	if _, ok := w.seen[string(s.idKey())]; ok {
		w.repeats++
		return true
	}
	w.seen[string(s.idKey())] = struct{}{}
	return false
}

// Pause lets go of what the walk holds. The next Next goes on.
func (w *Walk) Pause() error {
	if s := w.current; s != nil && s.isOpen() {
		s.remember()
	}
	w.current = nil
	var err error
	for _, s := range w.streams {
		err = errors.Join(err, s.close())
	}
	// Streams of a merge that wait step again to where they stood.
	for _, s := range w.waiting {
		err = errors.Join(err, s.close())
	}
	w.streams = append(w.streams, w.waiting...)
	w.waiting = w.waiting[:0]
	return errors.Join(err, w.inOrder.close(), w.inOplog.close())
}

// Close ends the walk.
func (w *Walk) Close() error {
	err := w.Pause()
	w.ended = true
	return err
}
