package changestream

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// The versions of resume tokens. Streams give version 2 and accept all of them.
const (
	tokenV0 = 0 // without type and invalidation; the identifier is the document key
	tokenV1 = 1 // as version 0, with type and invalidation
	tokenV2 = 2 // the identifier is {operationType, documentKey or operationDescription}
)

// The token types as they are written.
const (
	typeHighWaterMark = 0
	typeEvent         = 128
)

// WholeEvent is the Fragment of a token that is not of a split event's fragment.
const WholeEvent = -1

// Token is a resume token taken apart. The order of tokens is the order of their fields: the bytes of two encoded tokens
// compare as the events compare that they belong to.
type Token struct {
	ClusterTime    oplog.Timestamp
	Version        int32
	HighWaterMark  bool // before every event of its ClusterTime
	TxnOpIndex     int32
	FromInvalidate bool
	UUID           [16]byte // of the collection; meaningful when HasUUID
	HasUUID        bool
	Identifier     bsonraw.Doc // nil when there is none
	Fragment       int32       // WholeEvent, or the number of a split event's fragment
}

// HighWaterMark returns the token that stands before every event at the time and later.
func HighWaterMark(ts oplog.Timestamp) Token {
	return Token{ClusterTime: ts, Version: tokenV2, HighWaterMark: true, Fragment: WholeEvent}
}

// Append appends the token as the document that an event's _id is: {_data: <hex>[, _typeBits: <binary>]}.
func (t *Token) Append(dst []byte) []byte {
	var w tokenWriter
	w.begin(t)
	return w.appendDoc(dst)
}

// ParseToken reads a resume token that a client sent. Errors have the codes that MongoDB gives.
func ParseToken(doc bsonraw.Doc) (Token, error) {
	if err := checkTokenShape(doc); err != nil {
		return Token{}, err
	}
	return decodeToken(doc)
}

// checkTokenShape checks what MongoDB checks while it reads the stage's options, before anything else about the stage.
func checkTokenShape(doc bsonraw.Doc) error {
	data, types := doc.Lookup("_data"), doc.Lookup("_typeBits")
	if data.Type != bsonraw.TypeString {
		return mongoerr.New(40647, "Bad resume token: _data of missing or of wrong type. Expected string, got %s", compact(doc))
	}
	if types.IsMissing() {
		return nil
	}
	if subtype, _ := types.Binary(); types.Type != bsonraw.TypeBinary || subtype != 0 {
		return mongoerr.New(40648, "Bad resume token: _typeBits of wrong type %s", compact(doc))
	}
	return nil
}

// compact renders a token as MongoDB's messages about tokens do: without space inside the braces.
func compact(doc bsonraw.Doc) string {
	s := strings.TrimSuffix(strings.TrimPrefix(doc.Shell(), "{ "), " }")
	if doc.IsEmpty() {
		return s
	}
	return "{" + s + "}"
}

// maxTokenSize is far above every token that an event of allowed size can have.
const maxTokenSize = 2 * bsonraw.MaxDocumentSize

func decodeToken(doc bsonraw.Doc) (t Token, err error) {
	text := doc.Lookup("_data").Bytes()
	if len(text) > maxTokenSize {
		return t, mongoerr.New(40646, "invalid oversized resume token")
	}
	data := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(data, text); err != nil {
		return t, mongoerr.New(mongoerr.FailedToParse, "resume token string was not a valid hex string")
	}
	_, types := doc.Lookup("_typeBits").Binary()
	keys, err := bsonraw.NewKeyReader(data, types)
	if err != nil {
		return t, keyError(err)
	}
	r := tokenReader{keys: keys}
	t.Fragment = WholeEvent
	err = r.read(&t)
	return t, err
}

// keyError gives a malformed key the code that MongoDB gives it.
func keyError(err error) error {
	if errors.Is(err, bsonraw.ErrKeyCut) {
		return mongoerr.New(mongoerr.Overflow, "resume token: %v", err)
	}
	return mongoerr.New(50811, "KeyString format error: %v", err)
}

// tokenReader reads the components of a token one by one.
type tokenReader struct{ keys *bsonraw.KeyReader }

// next returns the next component, or a missing value at the end.
func (r *tokenReader) next() (bsonraw.Value, error) {
	v, err := r.keys.Next()
	if errors.Is(err, io.EOF) {
		return bsonraw.Value{}, nil
	}
	if err != nil {
		return v, keyError(err)
	}
	return v, nil
}

func (r *tokenReader) read(t *Token) error {
	v, err := r.next()
	switch {
	case err != nil:
		return err
	case v.IsMissing():
		return mongoerr.New(40649, "invalid empty resume token")
	case v.Type == bsonraw.TypeTimestamp:
		t.ClusterTime = oplog.Timestamp(v.Int64())
	}
	if err := r.readVersion(t, v.Type == bsonraw.TypeTimestamp); err != nil {
		return err
	}
	if t.Version >= tokenV1 {
		if err := r.readType(t); err != nil {
			return err
		}
	}
	if err := r.readIndex(t); err != nil {
		return err
	}
	if t.Version >= tokenV1 {
		if err := r.readInvalidate(t); err != nil {
			return err
		}
	}
	return r.readIdentifier(t)
}

func (r *tokenReader) readVersion(t *Token, timed bool) error {
	v, err := r.next()
	switch {
	case err != nil:
		return err
	case v.IsMissing():
		return mongoerr.New(50796, "Resume Token does not contain version")
	case v.Type != bsonraw.TypeInt32 || !timed:
		return mongoerr.New(50854, "Invalid resume token: wrong type for version")
	}
	if t.Version = v.Int32(); t.Version < tokenV0 || t.Version > tokenV2 {
		return mongoerr.New(50795, "Invalid Resume Token: only supports version 0, 1 and 2")
	}
	return nil
}

func (r *tokenReader) readType(t *Token) error {
	v, err := r.next()
	switch {
	case err != nil:
		return err
	case v.IsMissing():
		return mongoerr.New(51055, "Resume Token does not contain tokenType")
	case v.Type != bsonraw.TypeInt32:
		return mongoerr.New(51056, "Resume Token tokenType is not an int.")
	}
	switch v.Int32() {
	case typeHighWaterMark:
		t.HighWaterMark = true
	case typeEvent:
	default:
		return mongoerr.New(51057, "Token type %d not recognized", v.Int32())
	}
	return nil
}

func (r *tokenReader) readIndex(t *Token) error {
	v, err := r.next()
	switch {
	case err != nil:
		return err
	case v.IsMissing():
		return mongoerr.New(50793, "Resume Token does not contain txnOpIndex")
	case v.Type != bsonraw.TypeInt32:
		return mongoerr.New(50855, "Resume Token txnOpIndex is not an integer")
	}
	if t.TxnOpIndex = v.Int32(); t.TxnOpIndex < 0 {
		return mongoerr.New(50794, "Invalid Resume Token: txnOpIndex should be non-negative")
	}
	return nil
}

func (r *tokenReader) readInvalidate(t *Token) error {
	v, err := r.next()
	switch {
	case err != nil:
		return err
	case v.IsMissing():
		return mongoerr.New(50872, "Resume Token does not contain fromInvalidate")
	case v.Type != bsonraw.TypeBool:
		return mongoerr.New(50870, "Resume Token fromInvalidate is not a boolean.")
	}
	t.FromInvalidate = v.Bool()
	return nil
}

// readIdentifier reads what is left: the UUID, the identifier and the fragment's number.
func (r *tokenReader) readIdentifier(t *Token) error {
	v, err := r.next()
	if err != nil {
		return err
	}
	switch {
	case v.IsMissing() && t.Version >= tokenV2:
		return mongoerr.New(6189500, "Expected UUID or null")
	case v.IsMissing():
		return nil
	case v.Type == bsonraw.TypeNull && t.Version >= tokenV2:
	default:
		subtype, b := v.Binary()
		if subtype != bsonraw.SubtypeUUID || len(b) != len(t.UUID) {
			return mongoerr.New(mongoerr.InvalidUUID, "uuid must be a 16-byte binary field with UUID (4) subtype")
		}
		t.HasUUID = true
		copy(t.UUID[:], b)
	}
	if v, err = r.next(); err != nil {
		return err
	}
	switch {
	case v.IsMissing() && t.Version >= tokenV2 && !t.HighWaterMark:
		return mongoerr.New(6189501, "Expected an eventIdentifier for an event resume token")
	case v.IsMissing():
		return nil
	case t.Version >= tokenV2 && t.HighWaterMark:
		return mongoerr.New(6189504, "Invalid high water mark token: it has an event identifier")
	case v.Type != bsonraw.TypeDocument:
		return mongoerr.New(6189503, "Resume Token eventIdentifier is not an object")
	}
	t.Identifier = v.Doc()
	return r.readFragment(t)
}

func (r *tokenReader) readFragment(t *Token) error {
	v, err := r.next()
	switch {
	case err != nil:
		return err
	case v.IsMissing():
		return nil
	case t.Version < tokenV2:
		return mongoerr.New(40646, "invalid oversized resume token")
	case v.Type != bsonraw.TypeInt32 || v.Int32() < 0:
		return mongoerr.New(7182501, "Resume token 'fragmentNum' must be a non-negative integer.")
	}
	t.Fragment = v.Int32()
	if v, err = r.next(); err != nil {
		return err
	}
	if !v.IsMissing() {
		return mongoerr.New(40646, "invalid oversized resume token")
	}
	return nil
}
