package command

import (
	"errors"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/plan"
)

// write explains an update, a delete or a findAndModify: it is let run up to the search for documents.
func (x *explanation) write(op *operation) error {
	list := op.body.Lookup(op.cmd.name + "s") // updates, deletes
	if list.Type == bsonraw.TypeArray && list.Doc().Len() > 1 {
		return mongoerr.New(mongoerr.InvalidLength, "explained write batches must be of size 1")
	}
	x.ns = op.db + "." + op.body.Lookup(op.cmd.name).Str()
	return op.cmd.run(op)
}

// wouldDo is what a write would do.
type wouldDo struct{ matched, modified, upserted int64 }

// modifies takes the plan of a modification, which is not done.
func (x *explanation) modifies(m *modification) error {
	c, unlock, err := m.op.locked(m.coll)
	if err != nil {
		return err
	}
	defer unlock()
	if c == nil {
		return nil
	}
	q := plan.Query{Filter: m.filter, Order: m.sort}
	if q.Hint, err = planHint(c, m.hint); err != nil {
		return err
	}
	if !m.multi {
		q.Limit = 1
	}
	x.walk = plan.Choose(c, q).Open(m.op.view)
	if !x.walk.Plan().OnlyPoint() {
		x.query = m.filter
	}
	var would wouldDo
	x.run = func() (int64, error) { return 0, m.try(x.walk, &would) }
	if !x.walk.Plan().Sorted {
		x.over = append(x.over, sortStage(plan.Pattern(m.sort), 1, "default"))
	}
	x.over = append(x.over, func(in *plan.Stage) *plan.Stage { return m.stage(in, &would) })
	if m.op.cmd.name == "findAndModify" {
		if fields := m.op.body.Lookup("fields"); fields.IsDoc() && !fields.Doc().IsEmpty() {
			x.over = append(x.over, projectionStage(fields.Doc()))
		}
	}
	return nil
}

// try finds the documents of a modification, and out what it would make of them.
func (m *modification) try(walk *plan.Walk, would *wouldDo) error {
	for {
		doc, err := walk.Next(m.op.ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return readError(m.op, err)
		}
		if would.matched > 0 && !m.multi {
			continue // one of those that have to be sorted
		}
		if err := m.tryOne(doc, would); err != nil {
			return err
		}
		if !m.multi && walk.Plan().Sorted {
			break
		}
	}
	if would.matched == 0 && m.upsert {
		would.upserted = 1
	}
	return nil
}

func (m *modification) tryOne(doc bsonraw.Doc, would *wouldDo) error {
	would.matched++
	if m.update == nil {
		return nil
	}
	position := -1
	if m.update.NeedsPosition() {
		var err error
		if _, position, err = m.filter.MatchAt(evaluation(m.op), doc); err != nil {
			return err
		}
	}
	_, err := m.update.Apply(m.input(doc, position, false))
	would.modified++ // be it changed by that or not
	return err
}

// stage is the stage that would write.
func (m *modification) stage(in *plan.Stage, would *wouldDo) *plan.Stage {
	name := "UPDATE"
	if m.update == nil {
		name = "DELETE"
	}
	s := onTop(name, in, 0)
	if m.op.cmd.name == "findAndModify" {
		s.Returned = would.matched
	}
	s.Ended = true
	if m.update == nil {
		s.Counters = bsonraw.AppendInt(nil, "nWouldDelete", would.matched)
		return s
	}
	s.Counters = bsonraw.AppendInt(nil, "nMatched", would.matched)
	s.Counters = bsonraw.AppendInt(s.Counters, "nWouldModify", would.modified)
	s.Counters = bsonraw.AppendInt(s.Counters, "nWouldUpsert", would.upserted)
	return s
}
