package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// renderJSON renders an event as a line of canonical Extended JSON.
func renderJSON(e event) ([]byte, error) {
	line, err := lineOfJSON(e.Raw())
	if err != nil {
		return nil, fmt.Errorf("event to JSON: %w", err)
	}
	return line, nil
}

// lineOfJSON returns a document as canonical Extended JSON, a line of text that terminals obey nothing of.
func lineOfJSON(doc bson.Raw) ([]byte, error) {
	var text bytes.Buffer
	w := jsonWriter{bson.NewExtJSONValueWriter(&text, true, false)} // it ends a document with a line feed
	if err := bson.NewEncoder(w).Encode(doc); err != nil {
		return nil, err
	}
	return escapeControls(text.Bytes()), nil
}

// jsonWriter is the driver's writer of Extended JSON, but for the collection's name of a DBPointer: the driver writes it
// as it is, so that a quote in it ends the string, and bytes that are not UTF-8 stay. The other two types are there so
// that the values within documents and arrays come to jsonWriter too.
type (
	jsonWriter         struct{ bson.ValueWriter }
	jsonDocumentWriter struct{ bson.DocumentWriter }
	jsonArrayWriter    struct{ bson.ArrayWriter }
)

func (w jsonWriter) WriteDBPointer(collection string, id bson.ObjectID) error {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(collection); err != nil {
		return err
	}
	text := quoted.Bytes()
	return w.ValueWriter.WriteDBPointer(string(text[1:len(text)-2]), id) // without the quotes and the line feed
}

func (w jsonWriter) WriteDocument() (bson.DocumentWriter, error) {
	d, err := w.ValueWriter.WriteDocument()
	return jsonDocumentWriter{d}, err
}

func (w jsonWriter) WriteCodeWithScope(code string) (bson.DocumentWriter, error) {
	d, err := w.ValueWriter.WriteCodeWithScope(code)
	return jsonDocumentWriter{d}, err
}

func (w jsonWriter) WriteArray() (bson.ArrayWriter, error) {
	a, err := w.ValueWriter.WriteArray()
	return jsonArrayWriter{a}, err
}

func (w jsonDocumentWriter) WriteDocumentElement(key string) (bson.ValueWriter, error) {
	v, err := w.DocumentWriter.WriteDocumentElement(key)
	return jsonWriter{v}, err
}

func (w jsonArrayWriter) WriteArrayElement() (bson.ValueWriter, error) {
	v, err := w.ArrayWriter.WriteArrayElement()
	return jsonWriter{v}, err
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
