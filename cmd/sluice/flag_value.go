package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
)

// tokenFlag is a resume token: as JSON, or only the hexadecimal digits in its _data field.
type tokenFlag struct{ sluice.Token }

// UnmarshalText reads a token.
func (f *tokenFlag) UnmarshalText(text []byte) error {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return errors.New("no token; leave the flag out to start from now")
	}
	if data := string(text); isHex(data) {
		raw, err := bson.Marshal(bson.D{{Key: "_data", Value: data}})
		if err != nil {
			return err
		}
		f.Token, err = sluice.NewToken(raw)
		return err
	}
	if text[0] != '{' {
		return errors.New(`want a token as {"_data": "82..."}, or only its hexadecimal digits`)
	}
	return f.Token.UnmarshalText(text)
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && s != ""
}

// timestampFlag is an operation time: seconds since 1970, and the increment within the second.
type timestampFlag struct{ bson.Timestamp }

// UnmarshalText reads S,I.
func (f *timestampFlag) UnmarshalText(text []byte) error {
	seconds, increment, ok := strings.Cut(string(text), ",")
	t, err1 := strconv.ParseUint(strings.TrimSpace(seconds), 10, 32)
	i, err2 := strconv.ParseUint(strings.TrimSpace(increment), 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return errors.New("want seconds since 1970 and an increment, such as 1700000000,1")
	}
	if t == 0 && i == 0 {
		return errors.New("0,0 is no time; leave the flag out to start from now")
	}
	f.Timestamp = bson.Timestamp{T: uint32(t), I: uint32(i)}
	return nil
}

// extendedValue reads any value of Extended JSON, canonical or relaxed.
func extendedValue(text []byte) (bson.RawValue, error) {
	var whole json.RawMessage // tells where a mistake is, and that there is one value only
	if err := json.Unmarshal(text, &whole); err != nil {
		return bson.RawValue{}, fmt.Errorf("not JSON: %w", err)
	}
	var wrapped bson.Raw
	if err := bson.UnmarshalExtJSON(append(append([]byte(`{"v":`), text...), '}'), false, &wrapped); err != nil {
		return bson.RawValue{}, fmt.Errorf("not Extended JSON: %w", err)
	}
	return wrapped.Lookup("v"), nil
}

// parsePipeline reads an Extended JSON array of stages.
func parsePipeline(text string) ([]bson.Raw, error) {
	const hint = `want an array of stages, such as [{"$match": {"operationType": "insert"}}]`
	value, err := extendedValue([]byte(text))
	if err != nil {
		return nil, err
	}
	array, ok := value.ArrayOK()
	if !ok {
		return nil, errors.New(hint)
	}
	values, err := array.Values()
	if err != nil {
		return nil, err
	}
	stages := make([]bson.Raw, len(values))
	for i, v := range values {
		if stages[i], ok = v.DocumentOK(); !ok {
			return nil, fmt.Errorf("element %d is no document: %s", i, hint)
		}
	}
	return stages, nil
}

// collationFlag is a collation as JSON, with MongoDB's names.
type collationFlag struct{ *options.Collation }

// UnmarshalText reads a collation.
func (f *collationFlag) UnmarshalText(text []byte) error {
	// The names are MongoDB's; encoding/json does not tell upper from lower case, which is as well for a person's input.
	var c options.Collation
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return fmt.Errorf(`want a document such as {"locale": "de", "strength": 1}: %w`, err)
	}
	if decoder.More() {
		return errors.New("more than one document")
	}
	if c.Locale == "" {
		return errors.New(`a collation needs a locale, such as {"locale": "de"}`)
	}
	f.Collation = &c
	return nil
}

// commentFlag is any JSON value, or else the text as it is.
type commentFlag struct{ value any }

// UnmarshalText reads a comment. It takes everything.
func (f *commentFlag) UnmarshalText(text []byte) error { //nolint:unparam // encoding.TextUnmarshaler
	value, err := extendedValue(text)
	if err != nil {
		f.value = string(text)
		return nil //nolint:nilerr // what is no JSON is a text
	}
	f.value = value
	return nil
}
