package filter_test

import (
	"fmt"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// order is a document of everyday size, about 600 bytes in 20 fields.
const order = `{
	"_id": {"$oid": "5f0000000000000000000001"}, "customer": {"name": "Ada", "city": "London", "tier": 3}, "status": "open",
	"created": {"$date": {"$numberLong": "1700000000000"}}, "total": {"$numberDecimal": "129.95"}, "count": 3,
	"tags": ["new", "gift", "fragile"], "note": "Leave it at the door, please.", "weight": 2.5, "paid": true,
	"items": [{"sku": "A-1", "qty": 2, "price": 10.5}, {"sku": "B-7", "qty": 1, "price": 99}], "f1": 1, "f2": 2, "f3": 3,
	"ratings": [1, 5, 3], "version": {"$numberLong": "7"}, "region": "eu", "seller": null, "priority": 5, "last": "z"
}`

// everyday are filters of every kind that takes order, by what they show.
var everyday = []struct{ name, query string }{
	{"id", `{"_id": {"$oid": "5f0000000000000000000001"}}`},
	{"string", `{"status": "open"}`},
	{"lastField", `{"last": "z"}`},
	{"range", `{"count": {"$gte": 1, "$lt": 10}}`},
	{"date", `{"created": {"$gt": {"$date": {"$numberLong": "1600000000000"}}}}`},
	{"decimal", `{"total": {"$gt": 100}}`},
	{"fourFields", `{"status": "open", "region": "eu", "paid": true, "priority": {"$gte": 3}}`},
	{"nested", `{"customer.city": "London", "customer.tier": {"$in": [1, 2, 3]}}`},
	{"array", `{"tags": "gift"}`},
	{"arrayOfDocuments", `{"items.sku": "B-7"}`},
	{"position", `{"items.1.qty": 1}`},
	{"elemMatch", `{"items": {"$elemMatch": {"sku": "B-7", "qty": {"$gte": 1}}}}`},
	{"elemMatchValue", `{"ratings": {"$elemMatch": {"$gt": 3, "$lt": 6}}}`},
	{"all", `{"tags": {"$all": ["gift", "new"]}, "ratings": {"$size": 3}}`},
	{"in20", `{"region": {"$in": ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "eu", "n", "o", "p", "q", "r", "s", "t"]}}`},
	{"or", `{"$or": [{"status": "closed"}, {"priority": {"$gt": 4}}]}`},
	{"nor", `{"$nor": [{"status": "closed"}, {"paid": false}]}`},
	{"missing", `{"seller": null, "gone": {"$exists": false}, "status": {"$ne": "closed"}}`},
	{"literal", `{"note": {"$regex": "door"}}`},
	{"prefix", `{"note": {"$regex": "^Leave"}}`},
	{"pattern", `{"note": {"$regex": "the\\s+d..r", "$options": "i"}}`},
	{"typeModBits", `{"count": {"$type": "number", "$mod": [2, 1], "$bitsAllSet": 3}}`},
	{"schema", `{"$jsonSchema": {"required": ["status", "items"], "properties": {"status": {"enum": ["open", "closed"]}, "items": {"bsonType": "array"}}}}`},
	{"expr", `{"$expr": {"$lt": ["$f1", "$f2"]}}`},
}

func BenchmarkMatch(b *testing.B) {
	doc := parse(b, order)
	for _, c := range everyday {
		f := compile(b, c.query)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := f.Match(doc); !ok || err != nil {
					b.Fatal("no match")
				}
			}
		})
	}
}

// BenchmarkScan is a filter over different documents of which one in ten matches.
func BenchmarkScan(b *testing.B) {
	f := compile(b, `{"status": "open", "n": {"$gte": 0, "$lt": 1000}, "tags": "t3"}`)
	var docs []bsonraw.Doc
	for i := range 1000 {
		docs = append(docs, parse(b, fmt.Sprintf(`{"_id": %d, "name": "document %d", "n": %d, "status": "open", "tags": ["t%d", "x"]}`, i, i, i, i%10)))
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, d := range docs {
			if ok, _ := f.Match(d); ok {
				n++
			}
		}
		if n != 100 {
			b.Fatalf("%d of 1000 match", n)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	query := parse(b, `{"status": "open", "n": {"$gte": 0, "$lt": 1000}, "$or": [{"a": 1}, {"b.c": {"$in": [1, 2, 3]}}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := filter.Compile(query, filter.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
