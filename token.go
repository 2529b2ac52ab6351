package sluice

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Token is a position in a change stream: MongoDB's resume token, an opaque document that Options.ResumeAfter and
// Options.StartAfter take. A Token is immutable and comparable with ==, keeps no other memory alive, and its zero
// value means none. Equality is that of the bytes.
//
// A Token can be stored as text (MarshalText, and UnmarshalText to read it), inside a JSON or BSON document (it marshals itself), or as its raw
// bytes (Raw and NewToken). The zero Token is the empty text, and null in JSON and BSON.
type Token struct {
	raw string // a BSON document; a string because it is immutable and comparable
}

// NewToken makes a Token of a resume token document, which it copies. An empty or malformed document gives an error
// that is ErrInvalidToken: an absent token must not turn into "start from now" unnoticed.
func NewToken(raw bson.Raw) (Token, error) {
	if len(raw) == 0 {
		return Token{}, fmt.Errorf("sluice: resume token: no document: %w", ErrInvalidToken)
	}
	if err := raw.Validate(); err != nil {
		return Token{}, fmt.Errorf("sluice: resume token: %w: %w", ErrInvalidToken, err)
	}
	if len(raw) == emptyDocumentLen {
		return Token{}, fmt.Errorf("sluice: resume token: empty document: %w", ErrInvalidToken)
	}
	return Token{raw: string(raw)}, nil
}

// emptyDocumentLen is the length of the BSON document without fields.
const emptyDocumentLen = 5

// tokenOf copies a token document that the server sent; nil and empty documents give the zero Token.
func tokenOf(raw bson.Raw) Token {
	if len(raw) <= emptyDocumentLen {
		return Token{}
	}
	return Token{raw: string(raw)}
}

// Raw returns a copy of the token document, and nil for the zero Token.
func (t Token) Raw() bson.Raw {
	if t.IsZero() {
		return nil
	}
	return bson.Raw(t.raw)
}

// IsZero reports whether t is no token at all.
func (t Token) IsZero() bool { return t.raw == "" }

// String returns the text of MarshalText, for logs and messages. Note that a token contains the key of its document.
func (t Token) String() string {
	text, err := t.MarshalText()
	if err != nil {
		return "invalid token"
	}
	return string(text)
}

// MarshalText returns the token document as canonical Extended JSON; the zero Token gives empty text. Tokens that a
// server or NewToken gave never fail.
func (t Token) MarshalText() ([]byte, error) {
	if t.IsZero() {
		return []byte{}, nil
	}
	text, err := bson.MarshalExtJSON(bson.Raw(t.raw), true, false)
	if err != nil {
		return nil, fmt.Errorf("sluice: resume token to text: %w", err)
	}
	return text, nil
}

// UnmarshalText reads what MarshalText wrote, and relaxed Extended JSON too. Empty text gives the zero Token, and what is
// no document an error that is ErrInvalidToken; the hexadecimal digits that logs show are none without {"_data": "..."}.
func (t *Token) UnmarshalText(text []byte) error {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		*t = Token{}
		return nil
	}
	if !utf8.Valid(text) {
		return fmt.Errorf("sluice: resume token from text: %w: it is not UTF-8", ErrInvalidToken)
	}
	var raw bson.Raw
	if err := bson.UnmarshalExtJSON(text, false, &raw); err != nil {
		return fmt.Errorf(`sluice: resume token from text: %w: want a document of Extended JSON like {"_data": "82..."}: %w`, ErrInvalidToken, err)
	}
	token, err := NewToken(raw)
	if err != nil {
		return err
	}
	*t = token
	return nil
}

// MarshalJSON returns the token as a JSON object (canonical Extended JSON), null for the zero Token. It fails as
// MarshalText does.
func (t Token) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.MarshalText()
}

// UnmarshalJSON reads a JSON object, a JSON string that holds the text of MarshalText, or null. Anything else is an error
// that is ErrInvalidToken.
func (t *Token) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if bytes.Equal(data, []byte("null")) {
		*t = Token{}
		return nil
	}
	if len(data) > 0 && data[0] == '"' {
		text, err := unquoteJSON(data)
		if err != nil {
			return fmt.Errorf("sluice: resume token from JSON: %w: %w", ErrInvalidToken, err)
		}
		return t.UnmarshalText([]byte(text))
	}
	return t.UnmarshalText(data)
}

// MarshalBSONValue returns the token document itself as an embedded document, null for the zero Token. It never fails.
func (t Token) MarshalBSONValue() (typ byte, data []byte, err error) {
	if t.IsZero() {
		return byte(bson.TypeNull), nil, nil
	}
	return byte(bson.TypeEmbeddedDocument), []byte(t.raw), nil
}

// UnmarshalBSONValue reads an embedded document or null. Anything else is an error that is ErrInvalidToken.
func (t *Token) UnmarshalBSONValue(typ byte, data []byte) error {
	switch bson.Type(typ) {
	case bson.TypeNull, bson.TypeUndefined:
		*t = Token{}
		return nil
	case bson.TypeEmbeddedDocument:
		token, err := NewToken(data)
		if err != nil {
			return err
		}
		*t = token
		return nil
	default:
		return fmt.Errorf("sluice: resume token from BSON %s, want a document or null: %w", bson.Type(typ), ErrInvalidToken)
	}
}

// errNoTime tells that a token does not begin with a timestamp as MongoDB's do.
var errNoTime = errors.New("token without a time")

// time reads the cluster time at the head of MongoDB's token format: _data is the hexadecimal form of a KeyString
// that begins with type byte 0x82, seconds and increment, both big-endian.
func (t Token) time() (bson.Timestamp, error) {
	const head = 1 + 4 + 4
	data, err := bson.Raw(t.raw).LookupErr("_data")
	if err != nil {
		return bson.Timestamp{}, errNoTime
	}
	text, ok := stringBytes(data)
	if !ok || len(text) < 2*head {
		return bson.Timestamp{}, errNoTime
	}
	var key [head]byte
	if _, err := hex.Decode(key[:], text[:2*head]); err != nil || key[0] != 0x82 {
		return bson.Timestamp{}, errNoTime
	}
	seconds := uint32(key[1])<<24 | uint32(key[2])<<16 | uint32(key[3])<<8 | uint32(key[4])
	increment := uint32(key[5])<<24 | uint32(key[6])<<16 | uint32(key[7])<<8 | uint32(key[8])
	return bson.Timestamp{T: seconds, I: increment}, nil
}
