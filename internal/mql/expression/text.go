package expression

import "github.com/sluicestream/sluice/internal/bsonraw"

// Text renders a value as messages about computed values do: {a: 1, b: ["x"]}, without the padding of other messages, and
// MISSING for a missing one.
func Text(v bsonraw.Value) string { return string(appendText(nil, v)) }

func appendText(dst []byte, v bsonraw.Value) []byte {
	switch v.Type {
	case bsonraw.TypeMissing:
		return append(dst, "MISSING"...)
	case bsonraw.TypeDocument:
		dst = append(dst, '{')
		for it, n := v.Doc().Iter(), 0; it.Next(); n++ {
			if n > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(append(dst, it.Key()...), ": "...)
			dst = appendText(dst, it.Value())
		}
		return append(dst, '}')
	case bsonraw.TypeArray:
		dst = append(dst, '[')
		for it, n := v.Doc().Iter(), 0; it.Next(); n++ {
			if n > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendText(dst, it.Value())
		}
		return append(dst, ']')
	}
	return append(dst, v.Shell()...)
}
