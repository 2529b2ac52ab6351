package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// planHint finds what a hint names: an index, by name or by key pattern, or the collection itself, {$natural: 1 or -1}. An empty
// document names nothing. Hidden indexes are not found.
func planHint(c *store.Collection, hint bsonraw.Value) (plan.Hint, error) {
	switch hint.Type {
	case bsonraw.TypeMissing:
		return plan.Hint{}, nil
	case bsonraw.TypeString:
		if x := c.Index(hint.Str()); x != nil && !x.Hidden {
			return plan.Hint{Index: x}, nil
		}
	case bsonraw.TypeDocument:
		if hint.Doc().IsEmpty() {
			return plan.Hint{}, nil
		}
		if natural := hint.Doc().Lookup("$natural"); !natural.IsMissing() {
			return naturalHint(hint.Doc(), natural)
		}
		return hintByKey(c, hint.Doc())
	default:
		return plan.Hint{}, checkHint(hint)
	}
	return plan.Hint{}, errNoSuchHint
}

// checkHint checks the type of a hint.
func checkHint(hint bsonraw.Value) error {
	switch hint.Type {
	case bsonraw.TypeMissing, bsonraw.TypeString, bsonraw.TypeDocument:
		return nil
	}
	return mongoerr.New(mongoerr.FailedToParse, "Hint must be a string or an object")
}

var errNoSuchHint = mongoerr.New(mongoerr.BadValue, "error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index")

func naturalHint(hint bsonraw.Doc, direction bsonraw.Value) (plan.Hint, error) {
	if hint.Len() > 1 {
		return plan.Hint{}, mongoerr.New(mongoerr.BadValue, "Cannot include '$natural' in compound hint: %s", hint.Shell())
	}
	if mqlargument.Whole(direction) < 0 {
		return plan.Hint{Natural: -1}, nil
	}
	return plan.Hint{Natural: 1}, nil
}

func hintByKey(c *store.Collection, key bsonraw.Doc) (plan.Hint, error) {
	var found *store.Index
	for _, x := range c.Listed() {
		if x.Hidden || bsonraw.CompareDocs(x.Key, key) != 0 {
			continue
		}
		if found != nil {
			return plan.Hint{}, mongoerr.New(mongoerr.IndexNotFound, "error processing query: planner returned error :: caused by :: "+
				"Hint matched multiple indexes, must hint by index name. Matched: '%s' and '%s'", found.Name, x.Name)
		}
		found = x
	}
	if found == nil {
		return plan.Hint{}, errNoSuchHint
	}
	return plan.Hint{Index: found}, nil
}
