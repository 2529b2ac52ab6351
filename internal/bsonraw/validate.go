package bsonraw

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// The nesting that MongoDB allows: in a document that is stored, and in a message.
const (
	MaxStoredDepth  = 180
	MaxMessageDepth = 200
)

// MaxDocumentSize is the largest document that a client may store, in bytes.
const MaxDocumentSize = 16 * 1024 * 1024

// ErrTooDeep is returned by [Validate] for a document nested deeper than allowed.
var ErrTooDeep = errors.New("document is nested too deeply")

// Validate checks that b is exactly one well-formed document, nested maxDepth levels at most. Text need not be UTF-8: MongoDB
// stores what it gets.
func Validate(b []byte, maxDepth int) error {
	if len(b) < 5 {
		return fmt.Errorf("document of %d bytes is shorter than the smallest one", len(b))
	}
	if n := int(int32(binary.LittleEndian.Uint32(b))); n != len(b) {
		return fmt.Errorf("document says it has %d bytes but has %d", n, len(b))
	}
	if b[len(b)-1] != 0 {
		return errors.New("document does not end with a zero byte")
	}
	if maxDepth <= 0 {
		return ErrTooDeep
	}
	it := Doc(b).Places() // which are errors here
	for it.Next() {
		if err := validateValue(it.Value(), maxDepth); err != nil {
			if errors.Is(err, ErrTooDeep) {
				return err
			}
			return fmt.Errorf("field %q: %w", printable(it.Key()), err)
		}
	}
	if len(it.rest) != 0 {
		return fmt.Errorf("malformed element at byte %d", len(b)-1-len(it.rest))
	}
	return nil
}

func validateValue(v Value, maxDepth int) error {
	switch v.Type {
	case TypeVacant:
		return fmt.Errorf("type %d does not exist", v.Type)
	case TypeDocument, TypeArray:
		return Validate(v.Data, maxDepth-1)
	case TypeString, TypeJavaScript, TypeSymbol:
		if v.Data[len(v.Data)-1] != 0 {
			return errors.New("string does not end with a zero byte")
		}
	case TypeDBPointer:
		if v.Data[len(v.Data)-13] != 0 {
			return errors.New("namespace does not end with a zero byte")
		}
	case TypeBool:
		if v.Data[0] > 1 {
			return fmt.Errorf("boolean is %d, not 0 or 1", v.Data[0])
		}
	case TypeBinary:
		if !hasInnerLength(v.Data[4], v.Data[5:]) {
			return errors.New("old binary has a wrong inner length")
		}
	case TypeCodeScope:
		code, scope := v.CodeScope()
		if code == nil && scope == nil {
			return errors.New("code with scope has a wrong inner length")
		}
		if v.Data[8+len(code)] != 0 {
			return errors.New("code does not end with a zero byte")
		}
		return Validate(scope, maxDepth-1)
	}
	return nil
}

func printable(key []byte) string {
	if len(key) > 64 {
		key = key[:64]
	}
	if utf8.Valid(key) {
		return string(key)
	}
	return fmt.Sprintf("%x", key)
}

// hasInnerLength reports whether a binary's data begin with the length of what follows, where its subtype is the old one that has it so.
func hasInnerLength(subtype byte, data []byte) bool {
	return subtype != oldBinary || len(data) >= 4 && int64(int32(binary.LittleEndian.Uint32(data))) == int64(len(data)-4)
}

// oldBinary is the subtype of binary data that have their length within them too.
const oldBinary = 0x02
