package aggregation

import "slices"

// arrange joins and moves stages where the result stays the same: filters that take everything and skips of nothing go, other filters come before sorts and
// what leaves their fields alone, and are joined; limits come before projections and tell the sort before them how many documents
// are wanted.
func (p *Pipeline) arrange() error {
	if err := p.joinFilters(); err != nil {
		return err
	}
	p.stages = slices.DeleteFunc(p.stages, func(s stage) bool {
		switch s := s.(type) {
		case *match:
			return s.filter.IsEmpty()
		case *skip:
			return s.n == 0
		}
		return false
	})
	// What a limit hindered goes on once the limit has gone ahead.
	for range 2 {
		if err := p.filtersFirst(); err != nil {
			return err
		}
		if err := p.joinFilters(); err != nil {
			return err
		}
		p.joinLookups()
		p.countsFirst()
	}
	p.joinCounts()
	for i, s := range p.stages {
		if s, ok := s.(*sortStage); ok {
			s.limit = wanted(p.stages[i+1:])
		}
	}
	return nil
}

// joinFilters joins neighbouring $match stages.
func (p *Pipeline) joinFilters() error {
	kept := p.stages[:0]
	for rest := p.stages; len(rest) > 0; {
		var run []*match
		for len(run) < len(rest) {
			m, ok := rest[len(run)].(*match)
			if !ok {
				break
			}
			run = append(run, m)
		}
		if len(run) < 2 {
			kept, rest = append(kept, rest[0]), rest[1:]
			continue
		}
		joined, err := joinMatches(p.scope, run)
		if err != nil {
			return err
		}
		kept, rest = append(kept, joined), rest[len(run):]
	}
	p.stages = kept
	return nil
}

// joinLookups lets each $lookup do the $unwind of its array.
func (p *Pipeline) joinLookups() {
	kept := p.stages[:0]
	for _, s := range p.stages {
		if u, ok := s.(*unwind); ok && len(kept) > 0 {
			if l, ok := kept[len(kept)-1].(*lookup); ok && l.coalesce(u) {
				continue
			}
		}
		kept = append(kept, s)
	}
	p.stages = kept
}

// countsFirst moves each $limit and $skip before the stages in front of it that give one document for each, so that these run
// for no more documents than they have to.
func (p *Pipeline) countsFirst() {
	for i := range p.stages {
		switch p.stages[i].(type) {
		case *limit, *skip:
		default:
			continue
		}
		for j := i; j > 0; j-- {
			if t, ok := p.stages[j-1].(transform); !ok || !t.oneToOne() {
				break
			}
			p.stages[j-1], p.stages[j] = p.stages[j], p.stages[j-1]
		}
	}
}

// joinCounts joins neighbouring $limit and neighbouring $skip stages.
func (p *Pipeline) joinCounts() {
	kept := p.stages[:0]
	for _, s := range p.stages {
		if len(kept) > 0 {
			switch before := kept[len(kept)-1].(type) {
			case *limit:
				if s, ok := s.(*limit); ok {
					before.n = min(before.n, s.n)
					continue
				}
			case *skip:
				if s, ok := s.(*skip); ok {
					before.n = addCounts(before.n, s.n)
					continue
				}
			}
		}
		kept = append(kept, s)
	}
	p.stages = kept
}

// wanted returns how many documents the stages can use at most, 0 for all.
func wanted(stages []stage) int64 {
	skipped := int64(0)
	for _, s := range stages {
		switch s := s.(type) {
		case *limit:
			return addCounts(skipped, s.n)
		case *skip:
			skipped = addCounts(skipped, s.n)
		default:
			return 0
		}
	}
	return 0
}

// beginsWithSkip reports whether some documents are left out first, be it that a limit stands before that.
func beginsWithSkip(stages []stage) bool {
	for _, s := range stages {
		switch s.(type) {
		case *skip:
			return true
		case *limit:
		default:
			return false
		}
	}
	return false
}
