package main

import (
	"encoding/binary"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// documentBytes is the size of every document: what the targets are stated for.
const documentBytes = 300

// Where the fields' values are in a document: {_id: int64, v: int64, sent: int64, pad: string}.
const (
	idAt   = 4 + 1 + len("_id\x00")
	vAt    = idAt + 8 + 1 + len("v\x00")
	sentAt = vAt + 8 + 1 + len("sent\x00")
	padAt  = sentAt + 8 + 1 + len("pad\x00")
)

// newDocument makes a document of documentBytes. It is built by hand, so that the load costs the servers' CPUs as little as may be.
func newDocument(id int64) bson.Raw {
	doc := make([]byte, 0, documentBytes)
	doc = binary.LittleEndian.AppendUint32(doc, documentBytes)
	for _, name := range []string{"_id", "v", "sent"} {
		doc = append(doc, byte(bson.TypeInt64))
		doc = append(doc, name...)
		doc = append(doc, 0)
		doc = binary.LittleEndian.AppendUint64(doc, 0)
	}
	doc = append(doc, byte(bson.TypeString))
	doc = append(doc, "pad\x00"...)
	const textBytes = documentBytes - padAt - 4 - 1 // the last is the document's end
	doc = binary.LittleEndian.AppendUint32(doc, uint32(textBytes))
	for i := range textBytes - 1 {
		doc = append(doc, byte('a'+i%26))
	}
	doc = append(doc, 0, 0)
	setID(doc, id)
	return doc
}

// setID gives the document another _id.
func setID(doc bson.Raw, id int64) {
	binary.LittleEndian.PutUint64(doc[idAt:], uint64(id))
}

// setV gives the document another v.
func setV(doc bson.Raw, v int64) {
	binary.LittleEndian.PutUint64(doc[vAt:], uint64(v))
}

// stamp notes the time at which the document is sent.
func stamp(doc bson.Raw, at time.Time) {
	binary.LittleEndian.PutUint64(doc[sentAt:], uint64(at.UnixNano()))
}

// sentTime is the time that stamp noted.
func sentTime(doc bson.Raw) time.Time {
	return time.Unix(0, int64(binary.LittleEndian.Uint64(doc[sentAt:])))
}

// eachDocument calls f with the documents of an array. It trusts the server with the lengths and Go with the bounds.
func eachDocument(array []byte, f func(doc bson.Raw)) (count int) {
	for rest := array[4:]; len(rest) > 1; count++ {
		name := 1
		for rest[name] != 0 {
			name++
		}
		rest = rest[name+1:]
		size := binary.LittleEndian.Uint32(rest)
		if f != nil {
			f(bson.Raw(rest[:size]))
		}
		rest = rest[size:]
	}
	return count
}
