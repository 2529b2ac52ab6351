package specification

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// match compares a value with what a file expects of it. In documents at the root there may be more fields than expected.
// It returns where they differ.
func match(path string, want, got bson.RawValue, root bool) error {
	if doc, ok := want.DocumentOK(); ok {
		if operator, argument, ok := special(doc); ok {
			return matchSpecial(path, operator, argument, got)
		}
		return matchDocument(path, doc, got, root)
	}
	if array, ok := want.ArrayOK(); ok {
		return matchArray(path, array, got)
	}
	if a, ok := want.AsInt64OK(); ok {
		if b, ok := got.AsInt64OK(); ok && a == b {
			return nil
		}
	} else if want.Equal(got) {
		return nil
	}
	return fmt.Errorf("%s is %v, want %v", path, got, want)
}

func matchDocument(path string, want bson.Raw, got bson.RawValue, root bool) error {
	doc, ok := got.DocumentOK()
	if !ok {
		return fmt.Errorf("%s is %v, want %v", path, got, want)
	}
	elements, err := want.Elements()
	if err != nil {
		return err
	}
	for _, e := range elements {
		if err := match(path+"."+e.Key(), e.Value(), doc.Lookup(e.Key()), false); err != nil {
			return err
		}
	}
	if root {
		return nil
	}
	extra, err := doc.Elements()
	if err != nil {
		return err
	}
	for _, e := range extra {
		if want.Lookup(e.Key()).Type == 0 {
			return fmt.Errorf("%s has a field %s too many: %v", path, e.Key(), e.Value())
		}
	}
	return nil
}

func matchArray(path string, want bson.RawArray, got bson.RawValue) error {
	array, ok := got.ArrayOK()
	if !ok {
		return fmt.Errorf("%s is %v, want %v", path, got, want)
	}
	wanted, err := want.Values()
	if err != nil {
		return err
	}
	values, err := array.Values()
	if err != nil {
		return err
	}
	if len(wanted) != len(values) {
		return fmt.Errorf("%s has %d elements, want %d: %v", path, len(values), len(wanted), got)
	}
	for i := range wanted {
		if err := match(fmt.Sprintf("%s.%d", path, i), wanted[i], values[i], false); err != nil {
			return err
		}
	}
	return nil
}

// special recognises a document that is an operator of the format.
func special(doc bson.Raw) (operator string, argument bson.RawValue, ok bool) {
	elements, err := doc.Elements()
	if err != nil || len(elements) != 1 || !strings.HasPrefix(elements[0].Key(), "$$") {
		return "", bson.RawValue{}, false
	}
	return elements[0].Key(), elements[0].Value(), true
}

// typeNames are the format's names of BSON types, as far as the files use them.
var typeNames = map[string]bson.Type{
	"objectId": bson.TypeObjectID, "date": bson.TypeDateTime, "array": bson.TypeArray, "object": bson.TypeEmbeddedDocument, "string": bson.TypeString,
	"int": bson.TypeInt32, "long": bson.TypeInt64, "timestamp": bson.TypeTimestamp, "binData": bson.TypeBinary, "double": bson.TypeDouble, "bool": bson.TypeBoolean,
}

func matchSpecial(path, operator string, argument, got bson.RawValue) error {
	switch operator {
	case "$$exists":
		if argument.Boolean() == (got.Type != 0) {
			return nil
		}
		return fmt.Errorf("%s is %v, want it to exist: %v", path, got, argument)
	case "$$unsetOrMatches":
		if got.Type == 0 {
			return nil
		}
		return match(path, argument, got, false)
	case "$$type":
		names := []bson.RawValue{argument}
		if array, ok := argument.ArrayOK(); ok {
			var err error
			if names, err = array.Values(); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(names, func(name bson.RawValue) bool { return typeNames[name.StringValue()] == got.Type && got.Type != 0 }) {
			return nil
		}
		return fmt.Errorf("%s is a %s, want %v", path, got.Type, argument)
	default:
		return fmt.Errorf("%s: operator %s is not known here", path, operator)
	}
}

// rawDocument makes a value of a document.
func rawDocument(doc bson.Raw) bson.RawValue {
	return bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: bytes.Clone(doc)}
}
