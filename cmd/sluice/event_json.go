package main

import (
	"bytes"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// renderJSON renders an event as a line of canonical Extended JSON.
func renderJSON(e event) ([]byte, error) {
	text, err := bson.MarshalExtJSON(e.Raw(), true, false)
	if err != nil {
		return nil, fmt.Errorf("event to JSON: %w", err)
	}
	return append(escapeControls(text), '\n'), nil
}

// escapeControls escapes the control characters that JSON allows in strings, DEL and U+0080 to U+009F: terminals obey
// some of them. Outside of strings there are none.
func escapeControls(text []byte) []byte {
	const del, c1 = 0x7f, 0xc2 // c1: the first byte of U+0080 to U+00BF
	if bytes.IndexByte(text, del) < 0 && bytes.IndexByte(text, c1) < 0 {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == del:
			out = append(out, `\u007f`...)
		case text[i] == c1 && i+1 < len(text) && text[i+1] < 0xa0:
			out = fmt.Appendf(out, `\u%04x`, text[i+1])
			i++
		default:
			out = append(out, text[i])
		}
	}
	return out
}
