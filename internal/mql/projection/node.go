package projection

import (
	"strings"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// action is what happens to a field that a projection names.
type action uint8

const (
	include action = iota
	exclude
	compute   // the field gets the value of an expression
	elemMatch // an array is cut down to the first item that matches
	slice     // an array is cut down to a range
	descend   // the projection names fields below it
)

// entry is a field that a projection names.
type entry struct {
	key    []byte
	action action
	value  *expression.Expression // of compute
	match  *filter.ElemFilter     // of elemMatch
	child  *node                  // of descend
	from   int                    // of slice: negative counts from the end
	limit  int                    // of slice
	// positional marks the fields of the path that ends in ".$".
	positional bool
}

// node is a level of a projection: the fields that it names, in the order of the specification.
type node struct {
	entries []entry
	index   map[string]int // places of the entries, where there are too many for a walk
	// adds tells that the subtree has fields that a document gets even when it lacks them.
	adds bool
	// present counts the entries that concern fields of the document only.
	present int
}

// walkEntries is up to how many entries a walk is faster than a map.
const walkEntries = 8

// find returns the place of a field's entry, -1 when the projection does not name it. It begins to look at hint, which is right
// where documents have their fields in the order of the projection.
func (n *node) find(key []byte, hint int) int {
	if n.index != nil {
		if i, ok := n.index[string(key)]; ok {
			return i
		}
		return -1
	}
	for range n.entries {
		if hint >= len(n.entries) {
			hint = 0
		}
		if string(n.entries[hint].key) == string(key) {
			return hint
		}
		hint++
	}
	return -1
}

// insert puts an entry at a path. Full is the path as messages show it.
func (n *node) insert(path []string, full string, e entry) error {
	for i, name := range path {
		last := i == len(path)-1
		at := n.find([]byte(name), 0)
		switch {
		case last && at >= 0:
			return mongoerr.New(31250, "Path collision at %s", full)
		case last:
			e.key = []byte(name)
			n.add(e)
		case at < 0:
			n.add(entry{key: []byte(name), action: descend, child: &node{}, positional: e.positional})
			n = n.entries[len(n.entries)-1].child
		case n.entries[at].action != descend:
			return mongoerr.New(31249, "Path collision at %s remaining portion %s", full, strings.Join(path[i+1:], "."))
		default:
			n.entries[at].positional = n.entries[at].positional || e.positional
			n = n.entries[at].child
		}
	}
	return nil
}

// checkBelow checks that there is room for fields below a path.
func (n *node) checkBelow(path []string, full string) error {
	for i, name := range path {
		at := n.find([]byte(name), 0)
		switch {
		case at < 0:
			return nil
		case n.entries[at].action == descend:
			n = n.entries[at].child
		case i == len(path)-1:
			return mongoerr.New(31250, "Path collision at %s", full)
		default:
			return mongoerr.New(31249, "Path collision at %s remaining portion %s", full, strings.Join(path[i+1:], "."))
		}
	}
	return nil
}

func (n *node) add(e entry) {
	n.entries = append(n.entries, e)
	if n.index != nil {
		n.index[string(e.key)] = len(n.entries) - 1
	} else if len(n.entries) > walkEntries {
		n.index = map[string]int{}
		for i := range n.entries {
			n.index[string(n.entries[i].key)] = i
		}
	}
}

// finish computes what the whole tree tells.
func (n *node) finish() {
	for i := range n.entries {
		e := &n.entries[i]
		if e.action == descend {
			e.child.finish()
		}
		if e.adds() {
			n.adds = true
		}
		if e.action != compute && e.action != elemMatch {
			n.present++
		}
	}
}

func (e *entry) adds() bool {
	return e.action == compute || e.action == elemMatch || e.action == descend && e.child.adds
}

func (n *node) optimize() error {
	for i := range n.entries {
		e := &n.entries[i]
		var err error
		switch e.action {
		case compute:
			err = e.value.Optimize()
		case descend:
			err = e.child.optimize()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// firstLeaf returns the path of a field below n.
func (n *node) firstLeaf() string {
	e := &n.entries[0]
	if e.action == descend {
		return string(e.key) + "." + e.child.firstLeaf()
	}
	return string(e.key)
}

var (
	errNoPosition       = mongoerr.New(51246, "positional operator '.$' couldn't find a matching element in the array")
	errPositionMismatch = mongoerr.New(51247, "positional operator '.$' element mismatch")
)
