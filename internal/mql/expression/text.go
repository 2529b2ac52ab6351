package expression

import "github.com/sluicestream/sluice/internal/bsonraw"

// Text renders a value as messages about computed values do: {a: 1, b: ["x"]}, without the padding of other messages, and
// MISSING for a missing one. What is long is cut off.
func Text(v bsonraw.Value) string {
	text := appendText(nil, v)
	if len(text) > maxText {
		text = append(text[:maxText], "..."...)
	}
	return string(text)
}

// maxText is how much of a value a message shows, in bytes.
const maxText = 1000

func appendText(dst []byte, v bsonraw.Value) []byte {
	if len(dst) > maxText {
		return dst
	}
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
	if v.Type == bsonraw.TypeDouble {
		if f := v.Double(); f != f || f-f != 0 {
			return appendShortDouble(dst, f)
		}
	}
	return append(dst, v.Shell()...)
}
