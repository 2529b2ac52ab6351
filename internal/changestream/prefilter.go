package changestream

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// prefilter is what the first stage, a $match, asks of fullDocument alone. Most events that a selective filter drops are dropped by it,
// before they are encoded; the stages look at the others as if it were not there.
type prefilter struct{ full *filter.Filter }

// compilePrefilter takes out of a pipeline what can be asked beforehand; nil where there is nothing.
func compilePrefilter(pipeline bsonraw.Doc, scope *expression.Scope) *prefilter {
	it := pipeline.Iter()
	if it.Next(); !it.Next() {
		return nil
	}
	condition := it.Value().Doc().Lookup("$match")
	if condition.Type != bsonraw.TypeDocument {
		return nil
	}
	asked, at := bsonraw.BeginDoc(nil)
	for it := condition.Doc().Iter(); it.Next(); {
		if key := it.Key(); len(key) == 0 || key[0] == '$' {
			return nil // it may have branches, or fail
		}
		if field, ok := strings.CutPrefix(string(it.Key()), fullDocument+"."); ok && plainPath(field) {
			asked = bsonraw.AppendValue(asked, field, it.Value())
		}
	}
	if asked = bsonraw.EndDoc(asked, at); bsonraw.Doc(asked).IsEmpty() {
		return nil
	}
	f, err := filter.Compile(asked, filter.Options{Scope: scope})
	if err != nil {
		return nil
	}
	return &prefilter{f}
}

// plainPath reports whether a path means in fullDocument what it means behind it: no part of it is empty, or may be an operator.
func plainPath(path string) bool {
	for part := range strings.SplitSeq(path, ".") {
		if part == "" || part[0] == '$' {
			return false
		}
	}
	return true
}

// drops reports whether the first stage drops an event.
func (p *prefilter) drops(expressions *expression.Context, c *change) (bool, error) {
	full := c.full
	if full == nil {
		full = bsonraw.Empty // what is asked of a field that is missing is the same
	}
	expressions.Reset()
	ok, err := p.full.MatchWith(expressions, full)
	return !ok, err
}
