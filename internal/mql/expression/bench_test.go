package expression

import "testing"

func BenchmarkEval(b *testing.B) {
	doc := fromJSON(b, `{"_id": 1, "a": {"b": {"c": 5}}, "n": 7, "s": "text", "items": [{"p": 1}, {"p": 2}, {"p": 3}]}`).Doc()
	for name, text := range map[string]string{
		"path":    `"$a.b.c"`,
		"array":   `"$items.p"`,
		"compare": `{"$and": [{"$eq": ["$s", "text"]}, {"$lt": ["$n", 10]}]}`,
		"sum":     `{"$add": ["$n", "$a.b.c", 1]}`,
		"object":  `{"x": "$n", "y": {"z": "$s"}}`,
		"map":     `{"$map": {"input": "$items", "as": "i", "in": {"$multiply": ["$$i.p", 2]}}}`,
		"merge":   `{"$mergeObjects": ["$$ROOT", {"n": 8, "extra": true}]}`,
	} {
		b.Run(name, func(b *testing.B) {
			e := mustCompile(b, text, nil)
			var ctx Context
			b.ReportAllocs()
			for b.Loop() {
				ctx.Reset()
				if _, err := e.Eval(&ctx, doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
