package command

import (
	"fmt"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// TestRepeatedArgumentsAreRefused gives arguments twice, few and many, and names that the set of names takes for each other once.
func TestRepeatedArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	code := func(command bson.D) mongoerr.Code {
		reply := send(t, c.conn, "db", command)
		n, _ := reply.Lookup("code").Int32OK()
		return mongoerr.Code(n)
	}
	many := bson.D{{Key: "ping", Value: 1}}
	for i := range 200 {
		many = append(many, bson.E{Key: fmt.Sprint("a", i), Value: i})
	}
	filter := bson.E{Key: "filter", Value: bson.D{}}
	for name, test := range map[string]struct {
		command bson.D
		want    mongoerr.Code
	}{
		"a known one":     {bson.D{{Key: "find", Value: "c"}, filter, {Key: "limit", Value: 1}, filter}, mongoerr.IDLDuplicateField},
		"an unknown one":  {bson.D{{Key: "find", Value: "c"}, {Key: "x", Value: 1}, {Key: "x", Value: 1}}, mongoerr.IDLDuplicateField},
		"without a name":  {bson.D{{Key: "find", Value: "c"}, {Key: "", Value: 1}, {Key: "", Value: 1}}, mongoerr.IDLDuplicateField},
		"the command":     {bson.D{{Key: "ping", Value: 1}, {Key: "ping", Value: 1}}, mongoerr.IDLDuplicateField},
		"a wrong one":     {bson.D{{Key: "find", Value: "c"}, {Key: "maxTimeMS", Value: "x"}, filter, filter}, mongoerr.IDLDuplicateField},
		"explained":       {bson.D{{Key: "explain", Value: bson.D{{Key: "find", Value: "c"}, filter, filter}}}, mongoerr.IDLDuplicateField},
		"many":            {append(slices.Clip(many), many[7]), mongoerr.IDLDuplicateField},
		"many, but once":  {many, mongoerr.IDLUnknownField},
		"alike, but once": {bson.D{{Key: "find", Value: "c"}, {Key: "axb", Value: 1}, {Key: "ayb", Value: 1}}, mongoerr.IDLUnknownField},
	} {
		if got := code(test.command); got != test.want {
			t.Errorf("%s: code %d, want %d", name, got, test.want)
		}
	}
}
