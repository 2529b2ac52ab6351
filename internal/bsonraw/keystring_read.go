package bsonraw

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrKey is the cause of every error of a [KeyReader], ErrKeyCut of those where the key ends within a value.
var (
	ErrKey    = errors.New("malformed key")
	ErrKeyCut = fmt.Errorf("%w: it ends within a value", ErrKey)
)

// KeyReader gives back the values of a sequence of ascending keys. Whatever bytes it is given, it returns an error and does
// not panic.
type KeyReader struct {
	rest  []byte
	types typeReader
}

// NewKeyReader reads keys with the type bits that [KeyBuilder] made. Type bits left out count as zero: numbers are then ints,
// and a number that is none is an error.
func NewKeyReader(key, types []byte) (*KeyReader, error) {
	r, ok := newTypeReader(types)
	if !ok {
		return nil, fmt.Errorf("%w (type bits of %d bytes)", ErrKeyCut, len(types))
	}
	return &KeyReader{rest: key, types: r}, nil
}

// Rest returns what is not read yet.
func (r *KeyReader) Rest() []byte { return r.rest }

// Next returns the next value, which shares nothing with the key, or io.EOF at [KeyEnd] or where the bytes end; Rest then says
// whether anything stands behind.
func (r *KeyReader) Next() (Value, error) {
	if len(r.rest) == 0 {
		return Value{}, io.EOF
	}
	if r.rest[0] == KeyEnd {
		r.rest = r.rest[1:]
		return Value{}, io.EOF
	}
	data, t, err := r.value(nil, MaxMessageDepth)
	return Value{Type: t, Data: data}, err
}

func (r *KeyReader) fail(what string) error {
	return fmt.Errorf("%w: %s, %d bytes before its end", ErrKey, what, len(r.rest))
}

func (r *KeyReader) take(n int) ([]byte, error) {
	if n > len(r.rest) {
		return nil, ErrKeyCut
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b, nil
}

func (r *KeyReader) uint64() (uint64, error) {
	b, err := r.take(8)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b), nil
}

// value appends the bytes of the next value to dst and returns its type.
func (r *KeyReader) value(dst []byte, depth int) ([]byte, Type, error) {
	b, err := r.take(1)
	if err != nil {
		return dst, 0, err
	}
	if depth == 0 {
		return dst, 0, r.fail("nested too deeply")
	}
	switch kind := b[0]; kind {
	case keyNull:
		return dst, TypeNull, nil
	case keyFalse, keyTrue:
		return append(dst, kind-keyFalse), TypeBool, nil
	case keyString:
		t := TypeString
		if r.types.read(1) != 0 {
			t = TypeSymbol
		}
		dst, err = r.text(dst)
		return dst, t, err
	case keyDocument:
		dst, err = r.document(dst, depth)
		return dst, TypeDocument, err
	case keyArray:
		dst, err = r.array(dst, depth)
		return dst, TypeArray, err
	case keyObjectID:
		b, err = r.take(12)
		return append(dst, b...), TypeObjectID, err
	case keyDate:
		n, err := r.uint64()
		return binary.LittleEndian.AppendUint64(dst, n^1<<63), TypeDate, err
	case keyTimestamp:
		n, err := r.uint64()
		return binary.LittleEndian.AppendUint64(dst, n), TypeTimestamp, err
	default:
		if kind >= keyNaN && kind <= keyPositiveLarge {
			return r.number(dst, kind)
		}
		return r.rare(dst, kind, depth)
	}
}

func (r *KeyReader) rare(dst []byte, kind byte, depth int) ([]byte, Type, error) {
	switch kind {
	case keyMinKey:
		return dst, TypeMinKey, nil
	case keyUndefined:
		return dst, TypeUndefined, nil
	case keyMaxKey:
		return dst, TypeMaxKey, nil
	case keyBinary:
		dst, err := r.binary(dst)
		return dst, TypeBinary, err
	case keyRegex:
		for range 2 {
			s, err := r.cstring()
			if err != nil {
				return dst, 0, err
			}
			dst = append(append(dst, s...), 0)
		}
		return dst, TypeRegex, nil
	case keyDBPointer:
		dst, err := r.dbPointer(dst)
		return dst, TypeDBPointer, err
	case keyCode:
		dst, err := r.text(dst)
		return dst, TypeJavaScript, err
	case keyCodeScope:
		at := len(dst)
		dst, err := r.text(append(dst, 0, 0, 0, 0))
		if err != nil {
			return dst, 0, err
		}
		if dst, err = r.document(dst, depth); err == nil {
			binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at))
		}
		return dst, TypeCodeScope, err
	}
	return dst, 0, r.fail(fmt.Sprintf("unknown type %d", kind))
}

func (r *KeyReader) cstring() ([]byte, error) {
	i := bytes.IndexByte(r.rest, 0)
	if i < 0 {
		return nil, ErrKeyCut
	}
	s := r.rest[:i]
	r.rest = r.rest[i+1:]
	return s, nil
}

func (r *KeyReader) text(dst []byte) ([]byte, error) {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for {
		s, err := r.cstring()
		if err != nil {
			return dst, err
		}
		dst = append(append(dst, s...), 0)
		if len(r.rest) == 0 || r.rest[0] != 0xFF {
			binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
			return dst, nil
		}
		r.rest = r.rest[1:]
	}
}

func (r *KeyReader) atEnd() bool {
	if len(r.rest) > 0 && r.rest[0] == 0 {
		r.rest = r.rest[1:]
		return true
	}
	return false
}

func (r *KeyReader) document(dst []byte, depth int) ([]byte, error) {
	dst, at := BeginDoc(dst)
	for !r.atEnd() {
		class, err := r.take(1)
		if err != nil {
			return dst, err
		}
		name, err := r.cstring()
		if err != nil {
			return dst, err
		}
		head := len(dst)
		dst = AppendHeader(dst, TypeNull, name)
		var t Type
		if dst, t, err = r.value(dst, depth-1); err != nil {
			return dst, err
		}
		if keyClass(t) != class[0] {
			return dst, r.fail("an element's value is not of its class")
		}
		dst[head] = byte(t)
	}
	return EndDoc(dst, at), nil
}

func (r *KeyReader) array(dst []byte, depth int) ([]byte, error) {
	a := BeginArray(dst)
	for !r.atEnd() {
		head := len(a.buf)
		a.header(TypeNull)
		out, t, err := r.value(a.buf, depth-1)
		if err != nil {
			return out, err
		}
		a.buf = out
		a.buf[head] = byte(t)
	}
	return a.End(), nil
}

func (r *KeyReader) binary(dst []byte) ([]byte, error) {
	b, err := r.take(1)
	if err != nil {
		return dst, err
	}
	n := int(b[0])
	if n == 0xFF {
		if b, err = r.take(4); err != nil {
			return dst, err
		}
		if n = int(binary.BigEndian.Uint32(b)); n < 0xFF || n > MaxDocumentSize {
			return dst, r.fail("a binary has a wrong length")
		}
	}
	if b, err = r.take(n + 1); err != nil {
		return dst, err
	}
	if !hasInnerLength(b[0], b[1:]) {
		return dst, r.fail("an old binary has a wrong inner length")
	}
	return append(binary.LittleEndian.AppendUint32(dst, uint32(n)), b...), nil
}

func (r *KeyReader) dbPointer(dst []byte) ([]byte, error) {
	b, err := r.take(4)
	if err != nil {
		return dst, err
	}
	n := binary.BigEndian.Uint32(b)
	if n > math.MaxInt32 {
		return dst, r.fail("a namespace has a wrong length")
	}
	if b, err = r.take(int(n) + 12); err != nil {
		return dst, err
	}
	dst = append(binary.LittleEndian.AppendUint32(dst, n+1), b[:n]...)
	return append(append(dst, 0), b[n:]...), nil
}
