package differential

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

//go:embed testdata/crossed_expressions
var crossedExpressionsFile string

// crossedExpressions are expressions in which every value stands in the place of %s.
var crossedExpressions = sync.OnceValue(func() (list []string) {
	for line := range strings.Lines(crossedExpressionsFile) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
})

// TestEveryExpression evaluates each kind of expression with each value: as what a field holds, and as a constant. They are many, so each
// has its turn with some values.
func TestEveryExpression(t *testing.T) {
	t.Parallel()
	on := both(t)
	const together = 40 // expressions of a scenario
	list, every := crossedExpressions(), everyNth()
	for from := 0; from < len(list); from += together {
		text := fmt.Sprintf("=== expressions from %d\ninsert", from)
		for i, v := range everyValue {
			text += fmt.Sprintf(` {"_id": %d, "a": %s, "b": "b"}`, i, v)
		}
		text += "\n"
		for n, expression := range list[from:min(from+together, len(list))] {
			for i, v := range everyValue {
				if (i+from+n)%every != 0 {
					continue
				}
				text += evaluation(i, expression, `{"$literal": `+v+`}`)
				if !strings.Contains(v, `"t": 0`) { // which an insert replaces by the time
					text += evaluation(i, expression, `"$a"`)
				}
			}
		}
		cross(t, on, text)
	}
}

// evaluation is a step that evaluates an expression of the document with an _id.
func evaluation(id int, expression, value string) string {
	return fmt.Sprintf(`aggregate [{"$match": {"_id": %d}}, {"$replaceWith": {"v": %s}}]`, id, strings.ReplaceAll(expression, "%s", value)) + "\n"
}

// crossed draws one of the crossed expressions, with others in the place of values.
func (g *generator) crossed(depth int) any {
	list := crossedExpressions()
	text := strings.ReplaceAll(list[g.random.IntN(len(list))], "%s", `"%s"`)
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(`{"v": `+text+`}`), false, &d); err != nil {
		panic(err)
	}
	return g.filledIn(d, depth).(bson.D)[0].Value
}

func (g *generator) filledIn(v any, depth int) any {
	switch v := v.(type) {
	case string:
		if v == "%s" {
			return g.expression(depth)
		}
	case bson.D:
		for i := range v {
			v[i].Value = g.filledIn(v[i].Value, depth)
		}
	case bson.A:
		for i := range v {
			v[i] = g.filledIn(v[i], depth)
		}
	}
	return v
}
