package changestream_test

import (
	"bytes"
	"testing"
)

// What is asked of fullDocument before an event is encoded drops what the stage drops, and nothing else: the same condition as a
// branch is asked by the stage alone.
func TestWhatIsAskedBeforehandDropsTheSame(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	for i, doc := range []string{`{"_id":1}`, `{"_id":2,"v":null}`, `{"_id":3,"v":1}`, `{"_id":4,"v":[1,2]}`, `{"_id":5,"v":{"w":1}}`, `{"_id":6,"v":[{"w":1},{"w":2}]}`, `{"_id":7,"":1}`} {
		h.insert(t, "shop.orders", doc)
		h.update(t, "shop.orders", i+1, `{"u":{"v":1}}`)
		h.remove(t, "shop.orders", i+1)
	}
	h.insert(t, "shop.other", `{"_id":1,"v":1}`)
	h.command(t, "shop", `{"drop":"orders"}`)
	for _, condition := range []string{
		`{"fullDocument.v":1}`, `{"fullDocument.v":null}`, `{"fullDocument.v":{"$exists":false}}`, `{"fullDocument.v":{"$ne":1}}`,
		`{"fullDocument.v.w":1}`, `{"fullDocument.v.0.w":1}`, `{"fullDocument.v":{"$in":[1,null]}}`, `{"fullDocument.v":{"$not":{"$gt":1}}}`,
		`{"fullDocument.v":{"$elemMatch":{"w":2}}}`, `{"fullDocument.v":{"$size":2}}`, `{"fullDocument._id":{"$gt":2},"fullDocument.v":1}`,
		`{"operationType":"insert","fullDocument.v":1}`, `{"fullDocument":{"$exists":true},"fullDocument.v":{"$type":"array"}}`,
		`{"fullDocument.v":{"$gt":0},"operationType":{"$ne":"delete"}}`, `{"fullDocument.":1}`, `{"fullDocument.$v":1}`, `{}`,
	} {
		asked := open(t, h, collection, at(start), `{"$match":`+condition+`}`)
		plain := open(t, h, collection, at(start), `{"$match":{"$and":[`+condition+`]}}`)
		got, want := drain(t, asked, h, 0), drain(t, plain, h, 0)
		if len(got) != len(want) || asked.Done() != plain.Done() || !bytes.Equal(asked.Token(), plain.Token()) {
			t.Errorf("%s: %d events, ended %v; want %d, %v", condition, len(got), asked.Done(), len(want), plain.Done())
			continue
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("%s: event %d is %s, want %s", condition, i, text(got[i]), text(want[i]))
			}
		}
	}
}
