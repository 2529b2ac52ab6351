package sluice_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
)

const tokenData = "82635019A0000000012B042C0100296E5A1004AB1154ACACD849A48C61756D70D3B21F463C6F7065726174696F6E54797065003C696E736572740046646F63756D656E744B65790046645F69640064635019A078BE67426D7CF4D2000004"

func someToken(t testing.TB) sluice.Token {
	t.Helper()
	token, err := sluice.NewToken(mustRaw(t, bson.D{{Key: "_data", Value: tokenData}, {Key: "_typeBits", Value: bson.Binary{Data: []byte{0x82, 0, 1}}}}))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// contract: T8
func TestTokenIsImmutableAndComparable(t *testing.T) {
	t.Parallel()
	raw := mustRaw(t, bson.D{{Key: "_data", Value: tokenData}})
	a, err := sluice.NewToken(raw)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := sluice.NewToken(append(bson.Raw(nil), raw...))
	if a != b {
		t.Error("tokens of equal bytes differ")
	}
	raw[10] ^= 1
	if a != b {
		t.Error("the token changed with the bytes it was made of")
	}
	a.Raw()[10] ^= 1
	if a != b {
		t.Error("the token changed with the bytes that it gave out")
	}
	if a == someToken(t) || a.IsZero() || !(sluice.Token{}).IsZero() {
		t.Error("comparison")
	}
}

// contract: T11
func TestTokenRoundTrips(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]sluice.Token{"token": someToken(t), "zero": {}} {
		text, err := token.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		back := someToken(t)
		if err := back.UnmarshalText(text); err != nil || back != token {
			t.Errorf("%s: text %s comes back as %v, %v", name, text, back, err)
		}
		type doc struct {
			Token sluice.Token `bson:"token" json:"token"`
			After int          `bson:"after" json:"after"`
		}
		js, err := json.Marshal(doc{token, 1})
		if err != nil {
			t.Fatal(err)
		}
		fromJSON := doc{Token: someToken(t)}
		if err := json.Unmarshal(js, &fromJSON); err != nil || fromJSON.Token != token || fromJSON.After != 1 {
			t.Errorf("%s: JSON %s comes back as %v, %v", name, js, fromJSON, err)
		}
		quoted, err := json.Marshal(map[string]string{"token": string(text)})
		if err != nil {
			t.Fatal(err)
		}
		fromJSON = doc{Token: someToken(t)}
		if err := json.Unmarshal(quoted, &fromJSON); err != nil || fromJSON.Token != token {
			t.Errorf("%s: JSON %s comes back as %v, %v", name, quoted, fromJSON, err)
		}
		bs, err := bson.Marshal(doc{token, 1})
		if err != nil {
			t.Fatal(err)
		}
		fromBSON := doc{Token: someToken(t)}
		if err := bson.Unmarshal(bs, &fromBSON); err != nil || fromBSON.Token != token || fromBSON.After != 1 {
			t.Errorf("%s: BSON %v comes back as %v, %v", name, bson.Raw(bs), fromBSON, err)
		}
		if inner, ok := bson.Raw(bs).Lookup("token").DocumentOK(); ok != !token.IsZero() || !bytes.Equal(inner, token.Raw()) {
			t.Errorf("%s: the BSON form is %v, want the token document", name, bson.Raw(bs).Lookup("token"))
		}
		var pointer struct {
			Token *sluice.Token `bson:"token"`
		}
		if err := bson.Unmarshal(bs, &pointer); err != nil {
			t.Errorf("%s: into a pointer: %v", name, err)
		}
		keyed, err := json.Marshal(map[sluice.Token]int{token: 1})
		if err != nil {
			t.Errorf("%s: as a key: %v", name, err)
		}
		var fromKey map[sluice.Token]int
		if err := json.Unmarshal(keyed, &fromKey); err != nil || fromKey[token] != 1 {
			t.Errorf("%s: as a key %s comes back as %v, %v", name, keyed, fromKey, err)
		}
	}
	omitted, err := bson.Marshal(struct {
		Token sluice.Token `bson:"token,omitempty"`
	}{})
	if err != nil || len(omitted) != 5 {
		t.Errorf("omitempty: %v, %v", bson.Raw(omitted), err)
	}
}

// contract: T11
func TestTokenText(t *testing.T) {
	t.Parallel()
	token := someToken(t)
	const want = `{"_data":"` + tokenData + `","_typeBits":{"$binary":{"base64":"ggAB","subType":"00"}}}`
	if token.String() != want {
		t.Errorf("text %s, want %s", token, want)
	}
}

// contract: T11
func TestBadTokens(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]bson.Raw{"nil": nil, "empty document": mustRaw(t, bson.D{}), "garbage": {1, 2, 3}, "cut": mustRaw(t, bson.D{{Key: "a", Value: 1}})[:8]} {
		if token, err := sluice.NewToken(raw); !errors.Is(err, sluice.ErrInvalidToken) || !token.IsZero() {
			t.Errorf("%s: %v, %v", name, token, err)
		}
	}
	for _, text := range []string{"nonsense", "[]", "{}", `"x"`, `{"_data":`, "1", "826B0B4CE9000000032B04"} {
		token := someToken(t)
		if err := token.UnmarshalText([]byte(text)); !errors.Is(err, sluice.ErrInvalidToken) {
			t.Errorf("text %s: %v", text, err)
		}
		if err := token.UnmarshalJSON([]byte(text)); !errors.Is(err, sluice.ErrInvalidToken) {
			t.Errorf("JSON %s: %v", text, err)
		}
		if err := token.UnmarshalText([]byte(text)); !strings.Contains(err.Error(), `{"_data": "82..."}`) && text != "{}" {
			t.Errorf("text %s: %v does not say what is expected", text, err)
		}
		if token != someToken(t) {
			t.Errorf("text %s: an error changed the token", text)
		}
	}
	var doc struct {
		Token sluice.Token `bson:"token"`
	}
	if err := bson.Unmarshal(mustRaw(t, bson.D{{Key: "token", Value: "text"}}), &doc); !errors.Is(err, sluice.ErrInvalidToken) {
		t.Errorf("a BSON string: %v", err)
	}
}

func FuzzToken(f *testing.F) {
	f.Add([]byte(`{"_data":"` + tokenData + `"}`))
	f.Add([]byte(`{"_data":{"$binary":{"base64":"ggAB","subType":"00"}}}`))
	f.Add([]byte(``))
	f.Add([]byte(`{}`))
	f.Add([]byte(`null`))
	f.Add([]byte("{\"\":\"\x9a\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var token sluice.Token
		if token.UnmarshalText(text) != nil {
			return
		}
		out, err := token.MarshalText()
		if err != nil {
			t.Fatalf("a token of %q has no text: %v", text, err)
		}
		var back sluice.Token
		if err := back.UnmarshalText(out); err != nil || back != token {
			t.Fatalf("%q comes back as %v, %v", out, back, err)
		}
	})
}
