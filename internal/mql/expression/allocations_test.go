//go:build !race

package expression

import "testing"

// The plain cases run once for every document of a scan.
func TestPlainExpressionsDoNotAllocate(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	doc := fromJSON(t, `{"a": {"b": {"c": 5}}, "n": 7, "s": "text", "items": [{"p": 1}, {"p": 2}], "d": {"$date": "2020-06-01T11:52:25.678Z"}}`).Doc()
	for _, text := range []string{
		`{"$year": "$d"}`,
		`{"$hour": {"date": "$d", "timezone": "Europe/Berlin"}}`,
		`{"$dateToString": {"date": "$d", "format": "%Y-%m-%d", "timezone": "America/New_York"}}`,
		`{"$dateTrunc": {"date": "$d", "unit": "day", "timezone": "Europe/Berlin"}}`,
		`{"$dateAdd": {"startDate": "$d", "unit": "month", "amount": "$n"}}`,
		`{"$sin": {"$sqrt": {"$pow": ["$n", 1.5]}}}`,
		`"$a.b.c"`,
		`"$items.p"`,
		`{"$gt": ["$a.b.c", "$n"]}`,
		`{"$and": [{"$eq": ["$s", "text"]}, {"$lt": ["$n", 10.5]}]}`,
		`{"$cond": [{"$gte": ["$n", 5]}, "$s", "$a"]}`,
		`{"$add": ["$n", 1, 2.5]}`,
		`{"$concat": ["$s", "-", "$s"]}`,
		`{"$map": {"input": "$items", "as": "i", "in": {"$add": ["$$i.p", 1]}}}`,
		`{"x": "$n", "y": ["$s"]}`,
		`{"$mergeObjects": ["$a", {"z": "$n"}]}`,
	} {
		e := mustCompile(t, text, nil)
		var ctx Context
		allocs := testing.AllocsPerRun(100, func() {
			ctx.Reset()
			if _, err := e.Eval(&ctx, doc); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %.0f allocations a document, want none", text, allocs)
		}
	}
}
