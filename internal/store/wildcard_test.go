package store

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

func wildcardIndex(t *testing.T, key string, projection bson.D) *Index {
	t.Helper()
	spec := bson.D{{Key: "name", Value: "w"}, {Key: "key", Value: bson.D{{Key: key, Value: 1}}}}
	if projection != nil {
		spec = append(spec, bson.E{Key: "wildcardProjection", Value: projection})
	}
	raw, err := bson.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	x, err := parseIndex(raw)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func entriesOf(t *testing.T, x *Index, d bson.D) []string {
	t.Helper()
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := x.EachEntry(raw, func(values []bsonraw.Value) error {
		list = append(list, values[0].Str()+"="+values[1].Shell())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAWildcardIndexHasTheValuesOfItsPaths(t *testing.T) {
	t.Parallel()
	document := bson.D{
		{Key: "_id", Value: 1},
		{Key: "a", Value: bson.D{{Key: "b", Value: 2}, {Key: "c", Value: bson.D{{Key: "d", Value: "x"}}}, {Key: "e", Value: bson.D{}}}},
		{Key: "l", Value: bson.A{3, bson.D{{Key: "m", Value: 4}}, bson.A{5}, nil}},
	}
	for _, test := range []struct {
		key        string
		projection bson.D
		want       string
	}{
		{"$**", nil, `a.b=2 a.c.d="x" l=3 l.m=4 l=null`},
		{"a.$**", nil, `a.b=2 a.c.d="x"`},
		{"a.c.$**", nil, `a.c.d="x"`},
		{"_id.$**", nil, `_id=1`},
		{"$**", bson.D{{Key: "a.b", Value: 1}, {Key: "l", Value: true}}, `a.b=2 l=3 l.m=4 l=null`},
		{"$**", bson.D{{Key: "a", Value: bson.D{{Key: "c", Value: 1}}}, {Key: "_id", Value: 1}}, `_id=1 a.c.d="x"`},
		{"$**", bson.D{{Key: "a.c", Value: 0}}, `a.b=2 l=3 l.m=4 l=null`},
		{"$**", bson.D{{Key: "l", Value: 0}, {Key: "_id", Value: 1}}, `_id=1 a.b=2 a.c.d="x"`},
		{"$**", bson.D{{Key: "_id", Value: 1}}, `_id=1`},
		{"$**", bson.D{{Key: "_id", Value: 0}}, `a.b=2 a.c.d="x" l=3 l.m=4 l=null`},
	} {
		x := wildcardIndex(t, test.key, test.projection)
		if got := strings.Join(entriesOf(t, x, document), " "); got != test.want {
			t.Errorf("%s %v: %s, want %s", test.key, test.projection, got, test.want)
		}
	}
	part := wildcardIndex(t, "$**", nil).At("l")
	if got := entriesOf(t, part, document); !slices.Equal(got, []string{"l=3", "l=null"}) {
		t.Errorf("the part at l has %v", got)
	}
	for _, path := range []string{"_id", "a.0", "0"} {
		if wildcardIndex(t, "$**", nil).At(path) != nil {
			t.Errorf("there is a part at %s", path)
		}
	}
}

func TestPathsOfAWildcardIndexAreBounded(t *testing.T) {
	t.Parallel()
	many := make(bson.D, 0, 1000)
	for i := range 1000 {
		many = append(many, bson.E{Key: string(rune('a' + i%26)), Value: 1})
	}
	raw, err := bson.Marshal(bson.D{{Key: strings.Repeat("long", 1<<15), Value: many}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wildcardIndex(t, "$**", nil).keysOf(raw); !mongoerr.Is(err, cannotBuildIndexKeys) {
		t.Errorf("got %v, want code %d", err, cannotBuildIndexKeys)
	}
}
