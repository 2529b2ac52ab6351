package update

import (
	"strings"
	"testing"
)

// order is a document of about 300 bytes.
const order = `{"_id":{"$oid":"64a1b2c3d4e5f60718293a4b"},"customer":"c-10293","status":"open","total":1299,"count":3,"currency":"EUR",
	"address":{"street":"Long Street 17","city":"Springfield","zip":"12345"},"items":[{"sku":"a-1","n":1},{"sku":"b-2","n":2}],
	"tags":["new","web"],"version":17}`

func benchmarkApply(b *testing.B, text string) {
	b.Helper()
	doc := parseDoc(b, strings.ReplaceAll(order, "\n\t", ""))
	u := compile(b, text)
	in := Input{Doc: doc, Position: -1}
	b.ReportAllocs()
	for b.Loop() {
		if out, err := u.Apply(in); err != nil || out.NoOp {
			b.Fatal(out.NoOp, err)
		}
	}
}

func BenchmarkSet(b *testing.B)       { benchmarkApply(b, `{"$set":{"status":"paid"}}`) }
func BenchmarkSetNested(b *testing.B) { benchmarkApply(b, `{"$set":{"address.city":"Shelbyville"}}`) }
func BenchmarkInc(b *testing.B)       { benchmarkApply(b, `{"$inc":{"version":1}}`) }
func BenchmarkPush(b *testing.B)      { benchmarkApply(b, `{"$push":{"tags":"gift"}}`) }
func BenchmarkSeveral(b *testing.B) {
	benchmarkApply(b, `{"$set":{"status":"paid","address.zip":"54321"},"$inc":{"version":1,"items.1.n":1},"$unset":{"currency":1}}`)
}

func BenchmarkCompileAndInc(b *testing.B) {
	doc := parseDoc(b, strings.ReplaceAll(order, "\n\t", ""))
	v := parseValue(b, `{"$inc":{"version":1}}`)
	b.ReportAllocs()
	for b.Loop() {
		u, err := Compile(v, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := u.Apply(Input{Doc: doc, Position: -1}); err != nil {
			b.Fatal(err)
		}
	}
}
