package aggregation

import (
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// localValues are the values of a document with which those of foreign ones are compared: what the path leads to, arrays on the
// way and at the end opened. Nothing is null.
type localValues struct {
	list []bsonraw.Value
	spec []byte
}

func (l *localValues) read(doc bsonraw.Doc, path []string) {
	l.list = l.list[:0]
	l.walk(doc, path)
	if len(l.list) == 0 {
		l.list = append(l.list, bsonraw.NullValue)
	}
}

// walk follows a path through a document. Numbers in it are positions where an array is, and names elsewhere.
func (l *localValues) walk(doc bsonraw.Doc, path []string) {
	v := doc.Lookup(path[0])
	path = path[1:]
	for v.Type == bsonraw.TypeArray && len(path) > 0 {
		i, err := strconv.ParseUint(path[0], 10, 31)
		if err != nil || len(path[0]) > 1 && path[0][0] == '0' {
			break
		}
		v, path = v.Doc().At(int(i)), path[1:]
	}
	if len(path) == 0 {
		l.add(v)
		return
	}
	switch v.Type {
	case bsonraw.TypeDocument:
		l.walk(v.Doc(), path)
	case bsonraw.TypeArray:
		for it := v.Doc().Iter(); it.Next(); {
			if it.Value().Type == bsonraw.TypeDocument {
				l.walk(it.Value().Doc(), path)
			}
		}
	}
}

func (l *localValues) add(v bsonraw.Value) {
	if v.Type != bsonraw.TypeArray {
		l.addOne(v)
		return
	}
	for it := v.Doc().Iter(); it.Next(); {
		l.addOne(it.Value())
	}
}

func (l *localValues) addOne(v bsonraw.Value) {
	switch v.Type {
	case bsonraw.TypeMissing:
	case bsonraw.TypeUndefined:
		l.list = append(l.list, bsonraw.NullValue) // a filter cannot ask for it
	default:
		l.list = append(l.list, v)
	}
}

// filter makes the filter for the foreign documents, valid until the next call: {path: {$eq: value}}, {path: {$in: [values]}}, or
// where regular expressions are among the values {$or: [{path: {$eq: value}}, ..]}, since $in would match with them.
func (l *localValues) filter(path string) bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(l.spec[:0])
	switch {
	case len(l.list) == 1:
		dst = appendEquality(dst, path, l.list[0])
	case l.hasRegex():
		list := bsonraw.BeginArray(bsonraw.AppendHeader(dst, bsonraw.TypeArray, "$or"))
		for _, v := range l.list {
			one, begin := list.Begin(bsonraw.TypeDocument)
			list.Resume(bsonraw.EndDoc(appendEquality(one, path, v), begin))
		}
		dst = list.End()
	default:
		var inner int
		dst, inner = bsonraw.BeginElem(dst, bsonraw.TypeDocument, path)
		list := bsonraw.BeginArray(bsonraw.AppendHeader(dst, bsonraw.TypeArray, "$in"))
		for _, v := range l.list {
			list.Append(v)
		}
		dst = bsonraw.EndDoc(list.End(), inner)
	}
	l.spec = bsonraw.EndDoc(dst, at)
	return l.spec
}

func appendEquality(dst []byte, path string, v bsonraw.Value) []byte {
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, path)
	return bsonraw.EndDoc(bsonraw.AppendValue(dst, "$eq", v), at)
}

func (l *localValues) hasRegex() bool {
	for _, v := range l.list {
		if v.Type == bsonraw.TypeRegex {
			return true
		}
	}
	return false
}
