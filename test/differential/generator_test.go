package differential

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// generator draws the operations of a history. It avoids what the servers may do differently: which one of several documents a single update or
// delete takes when an index could serve it, the order of results without a sort, and the order of a collection, which it keeps that of _id by
// giving ids that grow.
type generator struct {
	random       *rand.Rand
	nextID       int32
	transactions int64             // drawn so far
	piping       bool              // most operations are pipelines
	indexed      bool              // the collection has further indexes, so that nothing may depend on the order of its documents
	ids          func(n int32) any // makes the nth _id, in their order; nil makes numbers
	capped       bool              // the collection is capped, so that transactions may not write to it
	collating    bool              // there are collations
	weighing     bool              // there may be collections that have one
	validating   bool              // the collection has a validator
	viewed       bool              // there is a view of the collection
	held         []held            // what documents were given
	paths        []any             // of indexes
	hints        []any             // what may be said of indexes
	hashed       bool              // one of the indexes is hashed
}

// chance is true once in n.
func (g *generator) chance(n int) bool { return g.random.IntN(n) == 0 }

func (g *generator) oneOf(list ...any) any { return list[g.random.IntN(len(list))] }

func doc(key string, v any) bson.D { return bson.D{{Key: key, Value: v}} }

// id is a number that may or may not be in use.
func (g *generator) id() any { return g.number(g.random.Int32N(g.nextID+1) + 1) }

// number gives a whole number one of the types of numbers.
func (g *generator) number(n int32) any {
	if g.ids != nil {
		return g.ids(n)
	}
	switch g.random.IntN(6) {
	case 0:
		return int64(n)
	case 1:
		return float64(n)
	case 2:
		return decimal(fmt.Sprint(n) + g.oneOf("", ".0").(string))
	default:
		return n
	}
}

func idAsText(n int32) any { return fmt.Sprintf("%05d", n) }

func idAsDocument(n int32) any { return bson.D{{Key: "n", Value: n}, {Key: "s", Value: "x"}} }

func idAsObjectID(n int32) any { return bson.ObjectID{byte(n >> 8), byte(n)} }

func (g *generator) newID() any {
	n := g.nextID
	g.nextID++
	return g.number(n)
}

func decimal(text string) bson.Decimal128 {
	d, err := bson.ParseDecimal128(text)
	if err != nil {
		panic(err)
	}
	return d
}

// scalar draws from every type that has no parts, with its borders.
func (g *generator) scalar() any {
	if g.collating && g.chance(3) {
		return g.oneOf(words...)
	}
	switch g.random.IntN(8) {
	case 0, 1, 2:
		return g.oneOf(int32(0), int32(1), int32(2), int32(3), int32(-1), int32(7))
	case 3:
		if g.collating {
			return g.oneOf(words...)
		}
		return g.oneOf("", "a", "b", "ab", "é", "$a", "a.b", "A\nb")
	case 4:
		return g.oneOf(nil, true, false)
	case 5:
		return g.oneOf(int64(1), int64(1)<<53+1, int64(math.MaxInt64), int64(math.MinInt64), 1.0, 1.5, -0.5, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1e300,
			decimal("1"), decimal("1.50"), decimal("NaN"), decimal("-Infinity"), decimal("0E+3"), decimal("12345678901234567890.123"), int32(math.MaxInt32), int32(math.MinInt32))
	default:
		v := g.oneOf(bson.NewDateTimeFromTime(time.Unix(978307200, 0)), bson.DateTime(-1), bson.Timestamp{T: 7, I: 1}, bson.Timestamp{T: 7, I: 2},
			bson.ObjectID{1, 2, 3}, bson.ObjectID{1, 2, 4}, bson.Binary{Data: []byte{1, 2}}, bson.Binary{Subtype: 5, Data: []byte{1}}, bson.Binary{},
			bson.Regex{Pattern: "a", Options: "i"}, bson.Regex{Pattern: "^b"}, bson.MinKey{}, bson.MaxKey{}, bson.JavaScript("f"), bson.Symbol("a"), bson.Undefined{},
			bson.CodeWithScope{Code: "f", Scope: bson.D{}}, bson.DBPointer{DB: "d", Pointer: bson.ObjectID{1}})
		if _, is := v.(bson.Symbol); is && (g.collating || g.weighing) { // which mongod has in no key under a collation
			return "a"
		}
		return v
	}
}

func (g *generator) value(depth int) any {
	switch {
	case depth > 0 && g.chance(4):
		list := bson.A{}
		for range g.random.IntN(4) {
			list = append(list, g.value(depth-1))
		}
		return list
	case depth > 0 && g.chance(4):
		return g.object(depth - 1)
	default:
		return g.scalar()
	}
}

func (g *generator) object(depth int) bson.D {
	d := bson.D{}
	for _, name := range []string{"a", "b", "c", "0"} {
		if g.chance(2) {
			d = append(d, bson.E{Key: name, Value: g.value(depth)})
		}
	}
	g.random.Shuffle(len(d), func(i, j int) { d[i], d[j] = d[j], d[i] })
	return d
}

// held is a value that a document was given, and where.
type held struct {
	path  string
	value any
}

// hold remembers what a document is given, so that it can be asked for and changed.
func (g *generator) hold(path string, v any) {
	const enough = 200
	if len(g.held) < enough {
		g.held = append(g.held, held{path, v})
	}
	switch v := v.(type) {
	case bson.D:
		for _, e := range v {
			g.hold(path+"."+e.Key, e.Value)
		}
	case bson.A:
		for _, e := range v {
			g.hold(path, e)
		}
	}
}

// heldBy is one of what the predicate takes of the values held, if there is any.
func (g *generator) heldBy(takes func(held) bool) (one held, ok bool) {
	if len(g.held) == 0 {
		return one, false
	}
	from := g.random.IntN(len(g.held))
	for i := range g.held {
		if one = g.held[(from+i)%len(g.held)]; takes(one) {
			return one, true
		}
	}
	return one, false
}

// near draws a value to compare the field at a path with: often one that a document has there.
func (g *generator) near(path string, depth int) any {
	if g.chance(2) {
		if one, ok := g.heldBy(func(h held) bool { return h.path == path }); ok {
			return one.value
		}
	}
	return g.value(depth)
}

// path draws names that documents have, positions, and names that they do not have.
func (g *generator) path() string {
	parts := []string{g.oneOf("a", "b", "c").(string)}
	for g.chance(3) && len(parts) < 4 {
		parts = append(parts, g.oneOf("a", "b", "c", "0", "1", "2").(string))
	}
	return strings.Join(parts, ".")
}

// operations are the commands of a history and how often each is drawn.
var operationKinds = []struct {
	weight int
	draw   func(*generator) bson.D
}{
	{4, func(g *generator) bson.D { return g.insert(1) }},
	{8, (*generator).update},
	{2, (*generator).delete},
	{3, (*generator).findAndModify},
	{2, (*generator).aggregate},
	{1, (*generator).count},
	{1, (*generator).distinct},
	{4, (*generator).find},
}

// operation draws one command.
func (g *generator) operation() bson.D {
	if g.piping && !g.chance(4) {
		return g.aggregate()
	}
	all := 0
	for _, kind := range operationKinds {
		all += kind.weight
	}
	n := g.random.IntN(all)
	for _, kind := range operationKinds {
		if n -= kind.weight; n < 0 {
			return kind.draw(g)
		}
	}
	panic("not reached")
}
