package bsonraw_test

import (
	"bytes"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// vacated is {a: 1, b: -, c: {x: -}, d: [{y: -, z: 2}]}, where - is a vacant place.
func vacated() bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(nil)
	dst = bsonraw.AppendInt32(dst, "a", 1)
	dst = bsonraw.AppendVacant(dst, "b")
	dst, c := bsonraw.BeginElem(dst, bsonraw.TypeDocument, "c")
	dst = bsonraw.EndDoc(bsonraw.AppendVacant(dst, "x"), c)
	list := bsonraw.BeginArray(bsonraw.AppendHeader(dst, bsonraw.TypeArray, "d"))
	dst, item := list.Begin(bsonraw.TypeDocument)
	dst = bsonraw.AppendInt32(bsonraw.AppendVacant(dst, "y"), "z", 2)
	list.Resume(bsonraw.EndDoc(dst, item))
	return bsonraw.EndDoc(list.End(), at)
}

// A vacant place is seen by nothing but Places: the document is as it is when it is settled.
func TestVacantPlacesAreReadOver(t *testing.T) {
	t.Parallel()
	d, want := vacated(), document(t, `{"a": 1, "c": {}, "d": [{"z": 2}]}`)
	if settled := d.Settled(nil); !bytes.Equal(settled, want) {
		t.Errorf("settled it is %s", settled.Shell())
	}
	if d.Shell() != want.Shell() || d.Len() != 3 || !d.Lookup("c").Doc().IsEmpty() {
		t.Errorf("it reads as %s of %d elements", d.Shell(), d.Len())
	}
	if v := d.Lookup("b"); !v.IsMissing() {
		t.Errorf("b is %s", v.Shell())
	}
	if c := bsonraw.Compare(d.Value(), want.Value()); c != 0 {
		t.Errorf("compared with the settled document: %d", c)
	}
	if got, key := bsonraw.AppendKey(nil, d.Value()), bsonraw.AppendKey(nil, want.Value()); !bytes.Equal(got, key) {
		t.Errorf("the key is %x, that of the settled document %x", got, key)
	}
	looked := bsonraw.NewNames([]string{"a", "b"})
	missing, _ := looked.Visit(d, func(int, bsonraw.Value) bool { return true })
	if missing != 0b10 {
		t.Errorf("of a and b are missing %b", missing)
	}
	var names string
	for it := d.Places(); it.Next(); {
		names += string(it.Key())
	}
	if names != "abcd" {
		t.Errorf("the places are %s", names)
	}
}

func TestVacantPlacesAreNoBSON(t *testing.T) {
	t.Parallel()
	if err := bsonraw.Validate(vacated(), 10); err == nil {
		t.Error("a document with vacant places is valid")
	}
}

// What has no vacant place is settled as it is, also where a byte looks like one.
func TestSettledAlready(t *testing.T) {
	t.Parallel()
	raw, err := bson.Marshal(bson.D{{Key: "a", Value: bson.Binary{Data: []byte{0xf5}}}, {Key: "b", Value: bson.D{{Key: "c", Value: int32(-11)}}}})
	if err != nil {
		t.Fatal(err)
	}
	d := bsonraw.Doc(raw)
	if settled := d.Settled(nil); &settled[0] != &d[0] {
		t.Error("a document without vacant places was copied")
	}
}
