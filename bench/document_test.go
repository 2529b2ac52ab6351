package main

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestDocumentIsValidAndOfTheStatedSize(t *testing.T) {
	t.Parallel()
	doc := newDocument(77)
	now := time.Now()
	stamp(doc, now)
	if err := doc.Validate(); err != nil || len(doc) != documentBytes {
		t.Fatalf("%d bytes, %v", len(doc), err)
	}
	if id := doc.Lookup("_id").AsInt64(); id != 77 {
		t.Errorf("_id %d", id)
	}
	if sent := doc.Lookup("sent").AsInt64(); sent != now.UnixNano() || !sentTime(doc).Equal(now) {
		t.Errorf("sent %d, want %d", sent, now.UnixNano())
	}
	if size := len(doc.Lookup("pad").StringValue()); size < documentBytes/2 {
		t.Errorf("pad of %d bytes", size)
	}
}

func TestEachDocument(t *testing.T) {
	t.Parallel()
	var list bson.A
	for i := range 12 {
		list = append(list, bson.D{{Key: "i", Value: i}})
	}
	_, array, err := bson.MarshalValue(list)
	if err != nil {
		t.Fatal(err)
	}
	var seen []int64
	if n := eachDocument(array, func(doc bson.Raw) { seen = append(seen, doc.Lookup("i").AsInt64()) }); n != 12 {
		t.Errorf("counted %d", n)
	}
	for i, got := range seen {
		if got != int64(i) {
			t.Errorf("document %d holds %d", i, got)
		}
	}
}
