package aggregation

import (
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/mql/projection"
)

// Find is a find command's query.
type Find struct {
	Filter     *filter.Filter         // nil takes every document
	Ordering   *ordering.Ordering     // nil leaves the order of the source
	Skip       int64                  // documents
	Limit      int64                  // documents; 0 is no limit
	Projection *projection.Projection // nil leaves documents as they are
}

// FromFind returns the pipeline that a find is.
func FromFind(f Find) *Pipeline {
	p := &Pipeline{frame: frame{memory: defaultMemory}}
	if f.Filter != nil && !f.Filter.IsEmpty() {
		p.stages = append(p.stages, &match{filter: f.Filter})
	}
	var order *sortStage
	if f.Ordering != nil {
		order = &sortStage{ordering: f.Ordering}
		p.stages = append(p.stages, order)
	}
	if f.Skip > 0 {
		p.stages = append(p.stages, &skip{n: f.Skip})
	}
	if f.Limit > 0 {
		p.stages = append(p.stages, &limit{n: f.Limit})
		if order != nil {
			order.limit = addCounts(f.Skip, f.Limit)
		}
	}
	if f.Projection != nil && !f.Projection.Identity() {
		s := &project{stageName: "$project", projection: f.Projection}
		if f.Projection.Positional() {
			s.positional = f.Filter
		}
		p.stages = append(p.stages, s)
	}
	return p
}
