package differential

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// everyValue is a value of each type and each border of a type, as values of a field and as arguments of operators.
var everyValue = strings.Split(strings.TrimSpace(`
null
true
false
0
1
2
5
-1
-5
2147483647
-2147483648
{"$numberLong": "0"}
{"$numberLong": "1"}
{"$numberLong": "9007199254740993"}
{"$numberLong": "9223372036854775807"}
{"$numberLong": "-9223372036854775808"}
{"$numberDouble": "0.0"}
{"$numberDouble": "-0.0"}
{"$numberDouble": "1.0"}
{"$numberDouble": "1.5"}
{"$numberDouble": "-2.5"}
{"$numberDouble": "NaN"}
{"$numberDouble": "Infinity"}
{"$numberDouble": "-Infinity"}
{"$numberDouble": "1e300"}
{"$numberDouble": "9007199254740992"}
{"$numberDouble": "5e-324"}
{"$numberDouble": "0.1"}
{"$numberDecimal": "0"}
{"$numberDecimal": "-0"}
{"$numberDecimal": "1"}
{"$numberDecimal": "1.50"}
{"$numberDecimal": "0.1"}
{"$numberDecimal": "NaN"}
{"$numberDecimal": "Infinity"}
{"$numberDecimal": "-Infinity"}
{"$numberDecimal": "9223372036854775807"}
{"$numberDecimal": "1E+400"}
{"$numberDecimal": "9007199254740993"}
{"$numberDecimal": "0E-6176"}
""
"a"
"b"
"A"
"é"
{"$symbol": "a"}
{}
{"b": 1}
{"b": {"$numberDouble": "1.0"}, "c": 2}
{"c": 2, "b": 1}
{"b": [1, 2]}
{"b": null}
[]
[1]
[1, 2]
[[1]]
[null]
[[]]
[{"b": 1}]
[{"b": 1}, {"b": 2}, 3]
{"$undefined": true}
[{"$undefined": true}]
{"$binary": {"base64": "AQ==", "subType": "00"}}
{"$binary": {"base64": "", "subType": "00"}}
{"$binary": {"base64": "AQ==", "subType": "05"}}
{"$binary": {"base64": "AgA=", "subType": "00"}}
{"$oid": "5f0000000000000000000001"}
{"$date": {"$numberLong": "0"}}
{"$date": {"$numberLong": "-1"}}
{"$timestamp": {"t": 0, "i": 0}}
{"$timestamp": {"t": 1, "i": 1}}
{"$regularExpression": {"pattern": "a", "options": ""}}
{"$regularExpression": {"pattern": "a", "options": "i"}}
{"$code": "a"}
{"$code": "a", "$scope": {}}
{"$code": "a", "$scope": {"x": 1}}
{"$dbPointer": {"$ref": "a", "$id": {"$oid": "5f0000000000000000000001"}}}
{"$minKey": 1}
{"$maxKey": 1}
{"$ref": "x", "$id": 1}
{"$ref": "x", "$id": 1, "$db": "d"}
`), "\n")

// crossedFilters are filters in which every value stands in the place of %s.
var crossedFilters = []string{
	`{"a": %s}`, `{"a": {"$eq": %s}}`, `{"a": {"$ne": %s}}`, `{"a": {"$gt": %s}}`, `{"a": {"$gte": %s}}`, `{"a": {"$lt": %s}}`, `{"a": {"$lte": %s}}`,
	`{"a": {"$in": [%s]}}`, `{"a": {"$nin": [%s]}}`, `{"a": {"$in": [%s, "zz", 7, 8, 9, 10]}}`, `{"a": {"$in": %s}}`, `{"a": {"$nin": %s}}`,
	`{"a": {"$in": [%s, {"$regularExpression": {"pattern": "^a", "options": ""}}]}}`,
	`{"a": {"$all": [%s]}}`, `{"a": {"$all": [%s, 1]}}`, `{"a": {"$all": %s}}`, `{"a": {"$size": %s}}`, `{"a": {"$exists": %s}}`, `{"a": {"$type": %s}}`,
	`{"a": {"$not": {"$gte": %s}}}`, `{"a": {"$not": {"$eq": %s}}}`, `{"a": {"$not": %s}}`,
	`{"a": {"$elemMatch": {"$eq": %s}}}`, `{"a": {"$elemMatch": {"$ne": %s}}}`, `{"a": {"$elemMatch": {"$lte": %s}}}`, `{"a": {"$elemMatch": {"b": %s}}}`, `{"a": {"$elemMatch": %s}}`,
	`{"a": {"$mod": [%s, 0]}}`, `{"a": {"$mod": [2, %s]}}`, `{"a": {"$mod": %s}}`, `{"a": {"$regex": %s, "$exists": true}}`,
	`{"a": {"$bitsAllSet": %s}}`, `{"a": {"$bitsAnyClear": %s}}`, `{"a": {"$bitsAnySet": %s}}`, `{"a": {"$bitsAllClear": [%s]}}`,
	`{"a.b": %s}`, `{"a.0": %s}`, `{"a.b": {"$ne": %s}}`, `{"a.0": {"$lte": %s}}`, `{"a.0.b": {"$gte": %s}}`, `{"a.b": {"$in": [%s, 2]}}`,
	`{"$and": %s}`, `{"$or": [%s]}`, `{"$nor": [%s]}`, `{"$alwaysTrue": %s}`, `{"$alwaysFalse": %s}`, `{"$comment": %s, "a": 1}`, `{"$sampleRate": %s, "a": 77}`,
	`{"$jsonSchema": {"properties": {"a": {"enum": [%s]}}}}`, `{"$jsonSchema": {"properties": {"a": {"minimum": %s}}}}`,
	`{"$jsonSchema": {"properties": {"a": {"multipleOf": %s}}}}`,
}

// crossedUpdates are updates of the field a in which every value stands in the place of %s.
var crossedUpdates = []string{
	`{"$set": {"a": %s}}`, `{"$set": {"a.b": %s}}`, `{"$set": {"a.0": %s}}`, `{"$unset": {"a": %s}}`, `{"$inc": {"a": %s}}`, `{"$mul": {"a": %s}}`, `{"$min": {"a": %s}}`, `{"$max": {"a": %s}}`,
	`{"$push": {"a": %s}}`, `{"$push": {"a": {"$each": [%s], "$position": 0}}}`, `{"$push": {"a": {"$each": %s}}}`, `{"$push": {"a": {"$each": [], "$sort": %s}}}`,
	`{"$push": {"a": {"$each": [3], "$slice": %s}}}`, `{"$push": {"a": {"$each": [3], "$position": %s}}}`, `{"$push": {"a": {"$each": [%s, 0], "$sort": 1}}}`,
	`{"$addToSet": {"a": %s}}`, `{"$addToSet": {"a": {"$each": [%s, 1]}}}`, `{"$addToSet": {"a": {"$each": %s}}}`, `{"$pop": {"a": %s}}`, `{"$pull": {"a": %s}}`, `{"$pull": {"a": {"$gte": %s}}}`,
	`{"$pull": {"a": {"b": %s}}}`, `{"$pullAll": {"a": [%s]}}`, `{"$pullAll": {"a": %s}}`, `{"$bit": {"a": {"or": %s}}}`, `{"$bit": {"a": %s}}`, `{"$rename": {"a": %s}}`,
	`{"$set": {"a.$[].b": %s}}`, `{"$setOnInsert": {"a": %s}}`, `{"$set": %s}`,
	`[{"$set": {"a": {"$literal": %s}}}]`, `[{"$set": {"a.b": {"$literal": %s}}}]`,
}

// TestEveryValue asks everything of everything: each kind of condition with each value, of documents with each value.
func TestEveryValue(t *testing.T) {
	t.Parallel()
	on := both(t)
	var documents strings.Builder
	documents.WriteString(`insert {"_id": 0}`)
	for i, v := range everyValue {
		fmt.Fprintf(&documents, ` {"_id": %d, "a": %s}`, i+1, v)
	}
	for _, filter := range crossedFilters {
		text := documents.String() + "\n=== " + filter + "\n"
		for _, v := range everyValue {
			text += "find " + fmt.Sprintf(filter, v) + ` {"projection": {"_id": 1}}` + "\n"
		}
		cross(t, on, text)
	}
	// Updates run one document at a time, because an error ends a statement. They are many, so each has its turn with some values.
	every := everyNth()
	for n, update := range crossedUpdates {
		text := "=== " + update + "\n"
		for i, v := range everyValue {
			if (i+n)%every != 0 {
				continue
			}
			text += fmt.Sprintf("run {\"insert\": \"c%d\", \"documents\": [{\"_id\": 0}", i)
			for j, old := range everyValue {
				text += fmt.Sprintf(`, {"_id": %d, "a": %s}`, j+1, old)
			}
			text += "]}\n" + fmt.Sprintf(`run {"update": "c%d", "ordered": false, "updates": [`, i)
			for j := range len(everyValue) + 1 {
				if j > 0 {
					text += ", "
				}
				text += fmt.Sprintf(`{"q": {"_id": %d}, "u": %s}`, j, fmt.Sprintf(update, v))
			}
			text += fmt.Sprintf(", {\"q\": {\"_id\": 1000}, \"u\": %s, \"upsert\": true}]}\nrun {\"find\": \"c%d\", \"sort\": {\"_id\": 1}}\n", fmt.Sprintf(update, v), i)
		}
		cross(t, on, text)
	}
}

// everyNth tells which share of the values is taken where all would be too many.
func everyNth() int {
	every, _ := strconv.Atoi(os.Getenv("SLUICE_DIFFERENTIAL_EVERY"))
	if every <= 0 {
		every = 9
	}
	return every
}

// cross compares one scenario that was made.
func cross(t *testing.T, on servers, text string) {
	t.Helper()
	scenarios, err := parseScenarios("cross", text)
	if err != nil {
		t.Fatal(err)
	}
	s := scenarios[0]
	t.Run(s.name, func(t *testing.T) {
		t.Parallel()
		differences, err := compare(t.Context(), on, s)
		if err != nil {
			t.Fatal(err)
		}
		const enough = 5
		for i, d := range differences {
			if i == enough {
				t.Errorf("and %d further steps differ", len(differences)-enough)
				return
			}
			t.Error(d.describe(s))
		}
	})
}
