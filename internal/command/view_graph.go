package command

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/store"
)

const (
	// maxViewDepth is how many views may lie upon each other.
	maxViewDepth = 20
	// maxViewPipeline is how large the pipelines of views that lie upon each other may be together.
	maxViewPipeline = 16_000_000
)

// checkViewGraph holds a view to what MongoDB asks of the views that it reads and of those that read it: no cycle, no more than
// maxViewDepth upon each other, one collation.
func checkViewGraph(catalog *store.Catalog, view *store.ViewDefinition) error {
	g := viewGraph{views: map[string]*store.ViewDefinition{}, below: map[string]viewHeight{}}
	for _, v := range catalog.ViewDefinitions(view.DB) {
		g.views[v.Name] = v
	}
	g.views[view.Name] = view
	if _, err := g.height(view, nil); err != nil {
		return err
	}
	for _, v := range g.views { // those that read it may be too high now
		if _, err := g.height(v, nil); err != nil {
			return err
		}
	}
	return nil
}

// viewGraph is which views of a database read which.
type viewGraph struct {
	views map[string]*store.ViewDefinition
	below map[string]viewHeight // of those that were looked at
}

// viewHeight is what lies below a view, itself included.
type viewHeight struct{ depth, size int }

// dependencies returns the views that a view reads directly.
func (g *viewGraph) dependencies(v *store.ViewDefinition) []*store.ViewDefinition {
	var list []*store.ViewDefinition
	add := func(name string) {
		if on := g.views[name]; on != nil && !slices.Contains(list, on) {
			list = append(list, on)
		}
	}
	add(v.On)
	aggregation.Collections(v.Pipeline, add)
	return list
}

func (g *viewGraph) height(v *store.ViewDefinition, above []*store.ViewDefinition) (viewHeight, error) {
	if slices.Contains(above, v) {
		return viewHeight{}, g.cycle(append(above, v))
	}
	if known, ok := g.below[v.Name]; ok {
		return known, nil
	}
	above = append(above, v)
	var h viewHeight
	for _, on := range g.dependencies(v) {
		if !bytes.Equal(on.Collation, v.Collation) {
			return h, mongoerr.New(mongoerr.OptionNotSupportedOnView, "View %s has conflicting collation with view %s", v.NS(), on.NS())
		}
		below, err := g.height(on, above)
		if err != nil {
			return h, err
		}
		h.depth, h.size = max(h.depth, below.depth), max(h.size, below.size)
	}
	h.depth++
	h.size += len(v.Pipeline)
	switch {
	case h.depth > maxViewDepth:
		return h, mongoerr.New(mongoerr.ViewDepthLimitExceeded, "View depth limit exceeded; maximum depth is %d", maxViewDepth)
	case h.size > maxViewPipeline:
		return h, mongoerr.New(mongoerr.ViewPipelineMaxSizeExceeded,
			"Operation would result in a resolved view pipeline that exceeds the maximum size of %d bytes", maxViewPipeline)
	}
	g.below[v.Name] = h
	return h, nil
}

func (g *viewGraph) cycle(path []*store.ViewDefinition) error {
	var names []string
	for _, v := range path {
		names = append(names, v.NS())
	}
	return mongoerr.New(mongoerr.GraphContainsCycle, "View cycle detected: %s", strings.Join(names, " => "))
}
