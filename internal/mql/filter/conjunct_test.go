package filter_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/mql/filter"
)

// rangesText renders a predicate: its path and where its keys lie.
func rangesText(p filter.Predicate) string {
	text := p.Path
	ranges, _ := p.Ranges(nil)
	for _, r := range ranges {
		open, end := " [", "]"
		if r.LowOut {
			open = " ("
		}
		if r.HighOut {
			end = ")"
		}
		text += open + r.Low.Shell() + ", " + r.High.Shell() + end
	}
	if p.Exact {
		text += " exact"
	}
	if p.MatchesMissing {
		text += " missing"
	}
	return text
}

func conjunctionText(c *filter.Conjunction) string {
	var parts []string
	for _, p := range c.Predicates {
		parts = append(parts, rangesText(p))
	}
	for _, or := range c.Disjunctions {
		var branches []string
		for _, branch := range or {
			branches = append(branches, conjunctionText(branch))
		}
		parts = append(parts, "{"+strings.Join(branches, " | ")+"}")
	}
	return strings.Join(parts, "; ")
}

func TestPredicates(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`{}`:                                     ``,
		`{"a": 1, "b.c": {"$gt": 2, "$lte": 5}}`: `a [1, 1] exact; b.c (2, inf.0] exact; b.c [-inf.0, 5] exact`,
		`{"$and": [{"a": 1}, {"$and": [{"b": {"$in": [3, 2, 3]}}]}]}`: `a [1, 1] exact; b [2, 2] [3, 3] exact`,
		`{"a": {"$in": [7]}}`:           `a [7, 7] exact`,
		`{"a": {"$all": [1, 2]}}`:       `a [1, 1] exact; a [2, 2] exact`,
		`{"$expr": {"$eq": ["$a", 1]}}`: `a [1, 1]`,
		`{"$expr": {"$and": [{"$eq": [{"$add": [1, 1]}, "$a.b"]}, "$c", {"$eq": ["$d", null]}]}}`: `a.b [2, 2]; d [null, null]`,
		`{"$expr": {"$or": [{"$eq": ["$a", 1]}]}}`:                                                ``,
		`{"$expr": {"$eq": ["$a", [1]]}}`:                                                         ``,
		`{"$expr": {"$eq": ["$$ROOT", {}]}}`:                                                      ``,
		`{"$expr": {"$eq": ["$a.0", 1]}}`:                                                         ``,
		`{"$expr": {"$eq": ["$a", "$$REMOVE"]}}`:                                                  ``,
		`{"$expr": {"$eq": ["$a", "$b"]}}`:                                                        ``,
		`{"$expr": {"$gt": ["$a", 1]}}`:                                                           ``,
		`{"a": null}`:                                                                             `a [undefined, undefined] [null, null] missing`,
		`{"a": {"$gte": null}}`:                                                                   `a [undefined, undefined] [null, null] missing`,
		`{"a": {"$lt": null}}`:                                                                    `a exact`,
		`{"a": {"$lte": {"$numberDouble": "NaN"}}}`:                                               `a [nan.0, nan.0] exact`,
		`{"a": {"$in": [null, 1]}}`:                                                               `a [undefined, undefined] [null, null] [1, 1] missing`,
		`{"a": {"$exists": true}}`:                                                                `a [MinKey, MaxKey]`,
		`{"$or": [{"a": 1}, {"a": 2}]}`:                                                           `a [1, 1] [2, 2] exact`,
		`{"$or": [{"a": 1}]}`:                                                                     `a [1, 1] exact`,
		`{"a": {"$elemMatch": {"b": 1, "c": {"$gt": 2}}}}`:                                        `a.b [1, 1] exact; a.c (2, inf.0] exact`,
		`{"a.b": {"$elemMatch": {"$gt": 1, "$lt": 5}}}`:                                           `a.b (1, inf.0]; a.b [-inf.0, 5)`,
		`{"a": {"$elemMatch": {"b": {"$elemMatch": {"c": 1}}}}}`:                                  `a.b.c [1, 1] exact`,
		`{"a": [1, 2]}`:                                                                           `a [1, 1] [[ 1, 2 ], [ 1, 2 ]]`,
		`{"a": []}`:                                                                               `a [undefined, undefined] [[], []]`,
		`{"a": {"$in": [1, [2]]}}`:                                                                `a [1, 1] [2, 2] [[ 2 ], [ 2 ]]`,
		`{"a": {"$gt": "x", "$lt": "y"}}`:                                                         `a ("x", {}) exact; a ["", "y") exact`,
		`{"a": {"$gt": true}}`:                                                                    `a exact`,
		`{"a": {"$gt": [1]}}`:                                                                     `a [MinKey, MaxKey]`,
		`{"a": {"$gt": {"$minKey": 1}}}`:                                                          `a [MinKey, MaxKey] missing`,
		`{"a": {"$lte": {"$minKey": 1}}}`:                                                         `a [MinKey, MinKey] exact`,
		`{"a": {"$lte": {"$maxKey": 1}}}`:                                                         `a [MinKey, MaxKey] missing`,
		`{"a": {"$ne": 1}}`:                                                                       `a [MinKey, 1) (1, MaxKey] exact missing`,
		`{"a": {"$ne": null}}`:                                                                    `a [MinKey, null) (null, MaxKey]`,
		`{"a.b": {"$ne": 1}}`:                                                                     `a.b [MinKey, 1) (1, MaxKey] missing`,
		`{"a": {"$nin": [2, 1]}}`:                                                                 `a [MinKey, 1) (1, 2) (2, MaxKey] exact missing`,
		`{"a": {"$not": {"$gt": 1}}}`:                                                             `a [MinKey, 1] (inf.0, MaxKey] exact missing`,
		`{"a": {"$exists": false}}`:                                                               `a [null, null] missing`,
		`{"$nor": [{"a": 1}, {"b": {"$gt": 2}}]}`:                                                 `a [MinKey, 1) (1, MaxKey] exact missing; b [MinKey, 2] (inf.0, MaxKey] exact missing`,
		`{"b": {"$type": 2}, "c": {"$mod": [2, 0]}}`:                                              `b ["", {}); c [nan.0, inf.0]`,
		`{"a": {"$type": ["int", "symbol", "string", "null"]}}`:                                   `a [null, null] [nan.0, inf.0] ["", {})`,
		`{"a": {"$type": "array"}}`:                                                               `a [MinKey, MaxKey]`,
		`{"a": {"$regex": "^ab"}}`:                                                                `a ["ab", "ac") [/^ab/, /^ab/]`,
		`{"a": {"$regex": "^ab.*c", "$options": "s"}}`:                                            `a ["ab", "ac") [/^ab.*c/s, /^ab.*c/s]`,
		`{"a": {"$regex": "ab"}}`:                                                                 `a ["", {}) [/ab/, /ab/]`,
		`{"a": {"$regex": "^ab", "$options": "i"}}`:                                               `a ["", {}) [/^ab/i, /^ab/i]`,
		`{"a": {"$regex": "^ab", "$options": "m"}}`:                                               `a ["", {}) [/^ab/m, /^ab/m]`,
		`{"a": {"$in": [{"$regularExpression": {"pattern": "^x", "options": ""}}, 1]}}`: `a [1, 1] ["x", "y") [/^x/, /^x/]`,
		`{"$or": [{"a": 1, "c": 2}, {"b": 2}], "d": 3}`:                                 `d [3, 3] exact; {a [1, 1] exact; c [2, 2] exact | b [2, 2] exact}`,
		`{"$or": [{"a": 1}, {"$and": [{"b": 1}, {"$or": [{"c": 1}, {"d": 1}]}]}]}`:      `{b [1, 1] exact; {c [1, 1] exact | d [1, 1] exact} | a [1, 1] exact}`,

		// What an index cannot help with, or must not.
		`{"a.b": {"$ne": null}}`:                               ``,
		`{"a": {"$ne": [1]}}`:                                  ``,
		`{"a": {"$not": {"$regex": "x"}}}`:                     ``,
		`{"a": {"$not": {"$gt": {"$minKey": 1}}}}`:             ``,
		`{"a": {"$not": {"$gt": 1, "$lt": 5}}}`:                ``,
		`{"a.0": 1}`:                                           ``,
		`{"a.0.b": {"$elemMatch": {"c": 1}}}`:                  ``,
		`{"a": {"$elemMatch": {"0": 1}}}`:                      ``,
		`{"a": {"$elemMatch": {"$elemMatch": {"$gt": 1}}}}`:    ``,
		`{"a": {"$elemMatch": {"$elemMatch": {"b": 1}}}}`:      ``,
		`{"a": {"$elemMatch": {"$or": [{"b": 1}, {"c": 1}]}}}`: ``,
		`{"a": {"$size": 1}}`:                                  ``,
	} {
		got := conjunctionText(compile(t, query).Conjunction())
		if got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

func TestSameElement(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{ // by depth, of the first two predicates
		`{"a.b": 1, "a.c": 2}`:                                                         `no, no`,
		`{"a": {"$elemMatch": {"b": 1, "c": 2}}}`:                                      `yes, no`,
		`{"a": {"$elemMatch": {"$gt": 1, "$lt": 2}}}`:                                  `yes, no`,
		`{"a.b": {"$elemMatch": {"c": 1, "d": 2}}}`:                                    `no, yes`,
		`{"a": {"$elemMatch": {"b": {"$elemMatch": {"$gt": 1, "$lt": 5}}}}}`:           `yes, yes`,
		`{"a": {"$all": [{"$elemMatch": {"b": 1}}, {"$elemMatch": {"c": 1}}]}}`:        `no, no`,
		`{"$and": [{"a": {"$elemMatch": {"b": 1}}}, {"a": {"$elemMatch": {"c": 1}}}]}`: `no, no`,
	} {
		list := compile(t, query).Conjunction().Predicates
		var got []string
		for depth := 1; depth <= 2; depth++ {
			got = append(got, map[bool]string{true: "yes", false: "no"}[list[0].SameElement(list[1], depth)])
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: same elements %v, want %s", query, got, want)
		}
	}
}

func TestImplies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		whole string
		yes   []string
		no    []string
	}{
		{`{}`, []string{`{}`, `{"a": 1}`}, nil},
		{
			`{"a": {"$gt": 5}}`,
			[]string{`{"a": 6}`, `{"a": {"$gt": 5}}`, `{"a": {"$gte": 6}, "b": 1}`, `{"a": {"$in": [6, 7]}}`, `{"$or": [{"a": 6}, {"a": 7, "b": 1}]}`, `{"a": {"$elemMatch": {"$gt": 7}}}`},
			[]string{`{}`, `{"a": 5}`, `{"a": {"$gte": 5}}`, `{"a": "x"}`, `{"a": {"$in": [5, 6]}}`, `{"b": 6}`, `{"a": {"$ne": 1}}`, `{"$or": [{"a": 6}, {"b": 1}]}`, `{"a": null}`, `{"a": [6]}`},
		},
		{
			`{"a": {"$exists": true}}`,
			[]string{`{"a": 1}`, `{"a": {"$gt": "x"}}`, `{"a": {"$exists": true}}`, `{"a": {"$ne": null}}`, `{"a": {"$type": "null"}}`, `{"a": [1]}`, `{"a": {"$regex": "x"}}`},
			[]string{`{"a": null}`, `{"a": {"$ne": 1}}`, `{"a": {"$in": [1, null]}}`, `{"a": {"$exists": false}}`, `{"a.b": 1}`, `{"a": {"$gte": {"$minKey": 1}}}`},
		},
		{`{"a.b": {"$exists": true}}`, []string{`{"a.b": 1}`, `{"a": {"$elemMatch": {"b": 1}}}`}, []string{`{"a.b": {"$ne": null}}`}},
		{
			`{"a": 1, "b": {"$lte": "m"}}`,
			[]string{`{"a": 1, "b": "k"}`, `{"b": {"$lt": "m"}, "a": 1}`},
			[]string{`{"a": 1}`, `{"b": "k"}`, `{"a": 1, "b": "n"}`},
		},
		{`{"a": {"$type": "number"}}`, []string{`{"a": 5}`, `{"a": {"$gt": 1}}`, `{"a": {"$type": "int"}}`, `{"a": {"$mod": [2, 1]}}`}, []string{`{"a": "x"}`, `{"a": {"$type": ["int", "string"]}}`}},
		{`{"a": {"$type": "int"}}`, []string{`{"a": {"$type": "int"}}`}, []string{`{"a": 5}`}},
		{`{"a": null}`, []string{`{"a": null}`}, []string{`{"a": {"$in": [null, 1]}}`, `{"a": {"$ne": 1}}`}},
		{`{"a": {"$in": [1, 2]}}`, []string{`{"a": 1}`, `{"a": {"$in": [2, 1]}}`}, []string{`{"a": {"$in": [1, 3]}}`}},
		{`{"$or": [{"a": 1}, {"b": 1}]}`, []string{`{"a": 1}`, `{"b": 1, "c": 1}`, `{"$or": [{"a": 1, "c": 2}, {"b": 1}]}`}, []string{`{"c": 1}`, `{"$or": [{"a": 1}, {"c": 1}]}`}},
		{`{"a": [1]}`, []string{`{"a": [1]}`}, []string{`{"a": 1}`, `{"a": [2]}`}},
	} {
		whole := compile(t, test.whole)
		for _, query := range slices.Concat(test.yes, test.no) {
			want := slices.Contains(test.yes, query)
			if got := compile(t, query).Conjunction().Implies(whole); got != want {
				t.Errorf("%s implies %s: %v, want %v", query, test.whole, got, want)
			}
		}
	}
}
