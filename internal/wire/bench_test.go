package wire

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// again gives the same bytes for ever.
type again struct {
	b  []byte
	at int
}

func (a *again) Read(p []byte) (int, error) {
	if a.at == len(a.b) {
		a.at = 0
	}
	n := copy(p, a.b[a.at:])
	a.at += n
	return n, nil
}

func BenchmarkReadInsert(b *testing.B) {
	for _, n := range []int{300, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			body := fromJSON(b, `{"insert":"orders","ordered":true,"lsid":{"id":{"$binary":{"base64":"AAAAAAAAAAAAAAAAAAAAAA==","subType":"04"}}},"$db":"shop"}`)
			whole := request(1, body, appendSequence(nil, "documents", withText(n-len(body)-60)))
			r := NewReader(&again{b: whole}, 4096)
			b.SetBytes(int64(len(whole)))
			b.ReportAllocs()
			for b.Loop() {
				m, err := r.Next()
				if err != nil {
					b.Fatal(err)
				}
				m.Release()
			}
		})
	}
}

func BenchmarkReply(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("%devents", n), func(b *testing.B) {
			docs := make([]bsonraw.Doc, n)
			for i := range docs {
				docs[i] = withText(2000)
			}
			b.ReportAllocs()
			for b.Loop() {
				r := BeginReply(OpMsg, 1)
				body, at := bsonraw.BeginDoc(r.Body())
				for _, doc := range docs {
					body = bsonraw.AppendDoc(r.Grow(body, len(doc)+10), "d", doc)
				}
				r.SetBody(bsonraw.EndDoc(body, at))
				if err := r.Finish(2); err != nil {
					b.Fatal(err)
				}
				if _, err := r.WriteTo(io.Discard); err != nil {
					b.Fatal(err)
				}
				r.Release()
			}
		})
	}
}

func TestReadingAnInsertAllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations of other tests would be counted
	whole := request(1, fromJSON(t, `{"insert":"c","$db":"d"}`), appendSequence(nil, "documents", withText(200)))
	r := NewReader(bytes.NewReader(bytes.Repeat(whole, 2000)), 4096)
	allocs := testing.AllocsPerRun(1000, func() {
		m, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		m.Release()
	})
	if allocs >= 1 { // a collection may empty the pools in between
		t.Errorf("%v allocations a message, want none", allocs)
	}
}
