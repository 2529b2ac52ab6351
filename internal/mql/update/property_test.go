package update

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Names are few, so that paths and documents meet.
var names = []string{"a", "b", "c", "0", "1", "k"}

func drawValue(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	switch {
	case depth > 0 && kind < 2:
		return drawObject(t, depth-1)
	case depth > 0 && kind < 4:
		list := bson.A{}
		for range rapid.IntRange(0, 4).Draw(t, "length") {
			list = append(list, drawValue(t, depth-1))
		}
		return list
	}
	return rapid.SampledFrom([]any{
		int32(0), int32(1), int32(7), int32(2147483647), int64(1), int64(1) << 62, 1.5, 0.0, "s", "", nil, true,
		bson.MinKey{},
		bson.Regex{Pattern: "^s"},
		bson.Timestamp{T: 1},
		bson.NewDecimal128(0x3040000000000000, 5),
	}).Draw(t, "scalar")
}

func drawObject(t *rapid.T, depth int) bson.D {
	d := bson.D{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID).Draw(t, "names") {
		d = append(d, bson.E{Key: name, Value: drawValue(t, depth)})
	}
	return d
}

func drawPath(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "0", "1", "k", "5", "$", "$[]", "$[x]"}), 1, 4).Draw(t, "path")
	return strings.Join(parts, ".")
}

func drawArgument(t *rapid.T, operator string) any {
	switch operator {
	case "$inc", "$mul":
		return rapid.SampledFrom([]any{int32(0), int32(1), int32(-3), int64(5), 0.5, bson.NewDecimal128(0x303e000000000000, 25)}).Draw(t, "number")
	case "$rename":
		return drawPath(t)
	case "$pop":
		return rapid.SampledFrom([]int32{1, -1}).Draw(t, "end")
	case "$bit":
		return bson.D{{Key: rapid.SampledFrom([]string{"and", "or", "xor"}).Draw(t, "bit"), Value: int32(6)}}
	case "$currentDate":
		return true
	case "$pullAll":
		return bson.A{drawValue(t, 1), drawValue(t, 0)}
	case "$push", "$addToSet":
		d := bson.D{{Key: "$each", Value: bson.A{drawValue(t, 1), drawValue(t, 0)}}}
		if operator == "$addToSet" || rapid.Bool().Draw(t, "plain") {
			return d
		}
		for _, name := range []string{"$position", "$slice"} {
			if rapid.Bool().Draw(t, name) {
				d = append(d, bson.E{Key: name, Value: rapid.Int32Range(-4, 4).Draw(t, "number")})
			}
		}
		return append(d, bson.E{Key: "$sort", Value: rapid.SampledFrom([]any{int32(1), int32(-1), bson.D{{Key: "a", Value: int32(1)}}}).Draw(t, "order")})
	}
	return drawValue(t, 2)
}

// updatesKeepTheirPromises draws a document and operators, and holds the outcome to what is always true; above all that the
// entry leads from the old document to the new one.
func updatesKeepTheirPromises(t *rapid.T) {
	doc := append(bson.D{{Key: "_id", Value: int32(1)}}, drawObject(t, 3)...)
	update, filters := bson.D{}, bson.A{}
	for _, operator := range rapid.SliceOfNDistinct(rapid.SampledFrom(Operators()), 1, 3, rapid.ID).Draw(t, "operators") {
		fields := bson.D{}
		for range rapid.IntRange(1, 2).Draw(t, "fields") {
			path := drawPath(t)
			if strings.Contains(path, "[x]") {
				filters = bson.A{bson.D{{Key: "x", Value: bson.D{{Key: "$ne", Value: drawValue(t, 0)}}}}}
			}
			fields = append(fields, bson.E{Key: path, Value: drawArgument(t, operator)})
		}
		update = append(update, bson.E{Key: operator, Value: fields})
	}
	raw, err := bson.Marshal(bson.D{{Key: "doc", Value: doc}, {Key: "update", Value: update}, {Key: "filters", Value: filters}})
	if err != nil {
		t.Fatal(err)
	}
	whole := bsonraw.Doc(raw)
	u, err := Compile(whole.Lookup("update"), Options{ArrayFilters: whole.Lookup("filters").Doc()})
	if err != nil {
		return
	}
	in := Input{Doc: whole.Lookup("doc").Doc(), Position: rapid.IntRange(-1, 2).Draw(t, "position"), Insert: rapid.IntRange(0, 4).Draw(t, "insert") == 0}
	out, err := u.Apply(in)
	if err != nil {
		u.Release()
		return
	}
	checkOutcome(t, u, in, out)
	result := show(out.Doc)
	if again, err := u.Apply(in); err != nil || show(again.Doc) != result {
		t.Fatalf("the second time: %s, %v", show(again.Doc), err)
	}
	u.Release()
	if u, err = Compile(whole.Lookup("update"), Options{ArrayFilters: whole.Lookup("filters").Doc()}); err != nil {
		t.Fatalf("compiled again: %v", err)
	}
	defer u.Release()
	if again, err := u.Apply(in); err != nil || show(again.Doc) != result {
		t.Fatalf("in memory that was used before: %s, %v", show(again.Doc), err)
	}
}

func TestUpdatesKeepTheirPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, updatesKeepTheirPromises)
}

func FuzzPromises(f *testing.F) { f.Fuzz(rapid.MakeFuzz(updatesKeepTheirPromises)) }
