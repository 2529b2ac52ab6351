package changestream_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

// Tokens of real servers, whole, and what is in them.
var tokenVectors = []struct {
	name, data, types string
	want              changestream.Token
	identifier        string // Extended JSON
}{
	{
		name: "insert", data: "82635019A0000000012B042C0100296E5A1004AB1154ACACD849A48C61756D70D3B21F463C6F7065726174696F6E54797065003C696E736572740046646F63756D656E744B65790046645F69640064635019A078BE67426D7CF4D2000004",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(1666193824, 1), Version: 2, HasUUID: true}, identifier: `{"operationType":"insert","documentKey":{"_id":{"$oid":"635019a078be67426d7cf4d2"}}}`,
	},
	{name: "high water mark", data: "8263515EAC000000022B0429296E1404", want: changestream.Token{ClusterTime: oplog.MakeTimestamp(1666277036, 2), Version: 2, HighWaterMark: true}},
	{
		name: "version 1 insert", data: "826A8C8FBC000000022B022C0100296E5A1004F6E232028E324338BC654BED3745B94B46645F696400646A8C8FBCD1A0E0B8CD8052CF0004",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(0x6A8C8FBC, 2), Version: 1, HasUUID: true}, identifier: `{"_id":{"$oid":"6a8c8fbcd1a0e0b8cd8052cf"}}`,
	},
	{
		name: "drop", data: "82669683C2000000052B042C0100296E5A1004413F85D5B4CF4680AA4D17641E9DF22D463C6F7065726174696F6E54797065003C64726F70000004",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(0x669683C2, 5), Version: 2, HasUUID: true}, identifier: `{"operationType":"drop"}`,
	},
	{
		name: "invalidate after drop", data: "82669683C2000000052B042C0100296F5A1004413F85D5B4CF4680AA4D17641E9DF22D463C6F7065726174696F6E54797065003C64726F70000004",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(0x669683C2, 5), Version: 2, HasUUID: true, FromInvalidate: true}, identifier: `{"operationType":"drop"}`,
	},
	{
		name: "dropDatabase", data: "826AAA2A78000000022B042C0100296E14463C6F7065726174696F6E54797065003C64726F704461746162617365000004",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(0x6AAA2A78, 2), Version: 2}, identifier: `{"operationType":"dropDatabase"}`,
	},
	{name: "version 1 dropDatabase", data: "825E5393A5000000042B022C0100296E04", want: changestream.Token{ClusterTime: oplog.MakeTimestamp(0x5E5393A5, 4), Version: 1}},
	{
		name: "create", data: "8268381564000000012B042C0100296E5A10047A321D5777D94A898403A1CE31511300463C6F7065726174696F6E54797065003C63726561746500466F7065726174696F6E4465736372697074696F6E0046466368616E676553747265616D507265416E64506F7374496D6167657300466E656E61626C6564006F00466964496E64657800461E76002B04466B657900461E5F6964002B02003C6E616D65003C5F69645F0000000004",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(0x68381564, 1), Version: 2, HasUUID: true}, identifier: `{"operationType":"create","operationDescription":{"changeStreamPreAndPostImages":{"enabled":true},"idIndex":{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}}}`,
	},
	{
		name: "int", data: "826553F100000000012B042C0100296E5A100400112233445566778899AABBCCDDEEFF463C6F7065726174696F6E54797065003C696E736572740046646F63756D656E744B657900461E5F6964002B02000004",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(1700000000, 1), Version: 2, HasUUID: true}, identifier: `{"operationType":"insert","documentKey":{"_id":{"$numberInt":"1"}}}`,
	},
	{
		name: "long", data: "826553F100000000012B042C0100296E5A100400112233445566778899AABBCCDDEEFF463C6F7065726174696F6E54797065003C696E736572740046646F63756D656E744B657900461E5F6964002B02000004", types: "ggAB",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(1700000000, 1), Version: 2, HasUUID: true}, identifier: `{"operationType":"insert","documentKey":{"_id":{"$numberLong":"1"}}}`,
	},
	{
		name: "double", data: "826553F100000000012B042C0100296E5A100400112233445566778899AABBCCDDEEFF463C6F7065726174696F6E54797065003C696E736572740046646F63756D656E744B657900461E5F6964002B02000004", types: "goAA",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(1700000000, 1), Version: 2, HasUUID: true}, identifier: `{"operationType":"insert","documentKey":{"_id":{"$numberDouble":"1.0"}}}`,
	},
	{
		name: "fragment", data: "826553F100000000012B042C0100296E5A100400112233445566778899AABBCCDDEEFF463C6F7065726174696F6E54797065003C696E736572740046646F63756D656E744B657900461E5F6964002B020000" + "2B0204",
		want: changestream.Token{ClusterTime: oplog.MakeTimestamp(1700000000, 1), Version: 2, HasUUID: true, Fragment: 2}, identifier: `{"operationType":"insert","documentKey":{"_id":{"$numberInt":"1"}}}`,
	},
}

func tokenDoc(t testing.TB, data, types string) bsonraw.Doc {
	t.Helper()
	d := bson.D{{Key: "_data", Value: data}}
	if types != "" {
		b, err := base64.StdEncoding.DecodeString(types)
		if err != nil {
			t.Fatal(err)
		}
		d = append(d, bson.E{Key: "_typeBits", Value: bson.Binary{Data: b}})
	}
	return encode(t, d)
}

func TestTokenVectors(t *testing.T) {
	t.Parallel()
	for _, v := range tokenVectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			doc := tokenDoc(t, v.data, v.types)
			got, err := changestream.ParseToken(doc)
			if err != nil {
				t.Fatal(err)
			}
			if again := got.Append(nil); !bytes.Equal(again, doc) {
				t.Errorf("written again it is\n%s, not\n%s", text(again), text(doc))
			}
			if v.identifier == "" {
				v.identifier = "null"
			}
			identifier := "null"
			if got.Identifier != nil {
				identifier = text(got.Identifier)
			}
			if identifier != v.identifier {
				t.Errorf("identifier %s, want %s", identifier, v.identifier)
			}
			v.want.Fragment-- // the table's zero is the whole event
			v.want.UUID, v.want.Identifier = got.UUID, got.Identifier
			if fmt.Sprint(got) != fmt.Sprint(v.want) {
				t.Errorf("got %+v, want %+v", got, v.want)
			}
		})
	}
}

// Two indexes at once, with keys given as doubles: type bits of several bytes, with arrays and nested documents.
func TestTokenWithManyTypeBits(t *testing.T) {
	t.Parallel()
	h := newHistory()
	h.command(t, "shop", `{"createIndexes":"orders","v":{"$numberInt":"2"},"key":{"a":{"$numberDouble":"1"}},"name":"a_1"}`)
	s := open(t, h, collection, `{"showExpandedEvents":true,"startAtOperationTime":{"$timestamp":{"t":1,"i":1}}}`)
	event := fill(t, s, h, nil, 0)[0]
	parsed, err := changestream.ParseToken(event.Lookup("_id").Doc())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"operationType":"createIndexes","operationDescription":{"indexes":[{"v":{"$numberInt":"2"},"key":{"a":{"$numberDouble":"1.0"}},"name":"a_1"}]}}`
	if got := text(parsed.Identifier); got != want {
		t.Errorf("identifier %s, want %s", got, want)
	}
}

// What is wrong with a token is told with MongoDB's code: each line of the file was sent to a real server.
func TestTokenErrors(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/token_errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		data, code, ok := strings.Cut(lines.Text(), " ")
		if !ok || data == "#" {
			continue
		}
		_, err := changestream.ParseToken(tokenDoc(t, strings.TrimPrefix(data, "-"), ""))
		got := "ok"
		if err != nil {
			got = fmt.Sprint(int(mongoerr.From(err).Code))
		}
		if got != code {
			t.Errorf("%s: %s (%v), want %s", data, got, err, code)
		}
	}
}

func genToken() *rapid.Generator[changestream.Token] {
	return rapid.Custom(func(t *rapid.T) changestream.Token {
		k := changestream.Token{
			ClusterTime: oplog.MakeTimestamp(rapid.SampledFrom([]uint32{0, 1, 1_700_000_000, 1<<32 - 1}).Draw(t, "seconds"), rapid.Uint32Range(0, 3).Draw(t, "increment")),
			Version:     2, TxnOpIndex: rapid.SampledFrom([]int32{0, 1, 127, 128, 499, 1 << 30}).Draw(t, "index"), Fragment: changestream.WholeEvent,
		}
		if rapid.IntRange(0, 3).Draw(t, "mark") == 0 {
			k.HighWaterMark, k.TxnOpIndex = true, 0
			return k
		}
		k.FromInvalidate = rapid.Bool().Draw(t, "invalidate")
		if k.HasUUID = rapid.Bool().Draw(t, "uuid"); k.HasUUID {
			k.UUID[0] = rapid.Byte().Draw(t, "byte")
		}
		id := rapid.SampledFrom([]any{1, int64(1), 1.5, "a", "", "a\x00b", nil, true, bson.ObjectID{1}, bson.D{{Key: "x", Value: bson.A{1, "y"}}}, bson.NewDecimal128(0x3040000000000000, 7)}).Draw(t, "id")
		b, err := bson.Marshal(bson.D{{Key: "operationType", Value: rapid.SampledFrom([]string{"insert", "update"}).Draw(t, "type")}, {Key: "documentKey", Value: bson.D{{Key: "_id", Value: id}}}})
		if err != nil {
			t.Fatal(err)
		}
		k.Identifier = b
		if rapid.IntRange(0, 3).Draw(t, "split") == 0 {
			k.Fragment = rapid.Int32Range(0, 300).Draw(t, "fragment")
		}
		return k
	})
}

// compareTokens orders tokens by their fields.
func compareTokens(a, b changestream.Token) int {
	i32, boolean := bsonraw.Int32Value, bsonraw.BoolValue
	uuid := func(k changestream.Token) bsonraw.Value {
		if !k.HasUUID {
			return bsonraw.NullValue
		}
		dst, at := bsonraw.BeginDoc(nil)
		return bsonraw.Doc(bsonraw.EndDoc(bsonraw.AppendBinary(dst, "u", bsonraw.SubtypeUUID, k.UUID[:]), at)).Lookup("u")
	}
	identifier := func(k changestream.Token) bsonraw.Value {
		if k.Identifier == nil {
			return bsonraw.Value{Type: bsonraw.TypeMinKey}
		}
		return k.Identifier.Value()
	}
	for _, pair := range [][2]bsonraw.Value{
		{bsonraw.TimestampValue(uint64(a.ClusterTime)), bsonraw.TimestampValue(uint64(b.ClusterTime))},
		{boolean(!a.HighWaterMark), boolean(!b.HighWaterMark)},
		{i32(a.TxnOpIndex), i32(b.TxnOpIndex)},
		{boolean(a.FromInvalidate), boolean(b.FromInvalidate)},
		{uuid(a), uuid(b)},
		{identifier(a), identifier(b)},
		{i32(a.Fragment), i32(b.Fragment)},
	} {
		if c := bsonraw.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return 0
}

func TestTokenRoundTripAndOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := genToken().Draw(t, "a"), genToken().Draw(t, "b")
		da, db := bsonraw.Doc(a.Append(nil)), bsonraw.Doc(b.Append(nil))
		got, err := changestream.ParseToken(da)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(a) {
			t.Fatalf("read %+v, wrote %+v", got, a)
		}
		if c, want := strings.Compare(da.Lookup("_data").Str(), db.Lookup("_data").Str()), compareTokens(a, b); c != want {
			t.Fatalf("tokens compare %d, their fields %d:\n%s\n%s", c, want, text(da), text(db))
		}
	})
}

// Any document gives an error of MongoDB's or a token that is the same when written and read again.
func FuzzParseToken(f *testing.F) {
	for _, v := range tokenVectors {
		f.Add([]byte(tokenDoc(f, v.data, v.types)))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if bsonraw.Validate(doc, bsonraw.MaxMessageDepth) != nil {
			return
		}
		k, err := changestream.ParseToken(doc)
		if err != nil {
			if mongoerr.From(err).Code == mongoerr.InternalError {
				t.Fatalf("%v", err)
			}
			return
		}
		written := k.Append(nil)
		again, err := changestream.ParseToken(written)
		if err != nil {
			t.Fatalf("%s, written again %s: %v", text(doc), text(written), err)
		}
		if fmt.Sprint(again) != fmt.Sprint(k) {
			t.Fatalf("%+v became %+v", k, again)
		}
	})
}
