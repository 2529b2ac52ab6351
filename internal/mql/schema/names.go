package schema

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// nameList is names that a document has to have. Those with dots are paths, as in MongoDB.
type nameList struct {
	list   []string
	groups []nameGroup
	paths  []bsonraw.Path
}

// nameGroup is names that are found in one walk over a document.
type nameGroup struct {
	names bsonraw.Names
	list  []string
}

func newNameList(list []string) nameList {
	n := nameList{list: list}
	var plain []string
	for _, name := range list {
		if strings.Contains(name, ".") {
			n.paths = append(n.paths, bsonraw.NewPath(name))
		} else {
			plain = append(plain, name)
		}
	}
	for group := range slices.Chunk(plain, bsonraw.MaxNames) {
		n.groups = append(n.groups, nameGroup{bsonraw.NewNames(group), group})
	}
	return n
}

func seeAll(int, bsonraw.Value) bool { return true }

// within reports whether a document has all names.
func (n *nameList) within(doc bsonraw.Doc) bool {
	for i := range n.groups {
		if missing, _ := n.groups[i].names.Visit(doc, seeAll); missing != 0 {
			return false
		}
	}
	for _, path := range n.paths {
		if !leadsTo(path, doc) {
			return false
		}
	}
	return true
}

// leadsTo reports whether a path leads to a value of the document.
func leadsTo(path bsonraw.Path, doc bsonraw.Doc) bool {
	return !path.Walk(doc, bsonraw.LeafWhole, isMissing)
}

func isMissing(v bsonraw.Value, _ int) bool { return v.IsMissing() }

// missing lists the names that a document has not.
func (n *nameList) missing(doc bsonraw.Doc) []string {
	missing := map[string]bool{}
	for i := range n.groups {
		g := &n.groups[i]
		set, _ := g.names.Visit(doc, seeAll)
		for ; set != 0; set &= set - 1 {
			missing[g.list[bits.TrailingZeros64(set)]] = true
		}
	}
	for _, path := range n.paths {
		missing[path.String()] = !leadsTo(path, doc)
	}
	var list []string
	for _, name := range n.list {
		if missing[name] {
			list = append(list, name)
		}
	}
	return list
}
