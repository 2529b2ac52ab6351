package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// writes counts writes and keeps what they wrote.
type writes struct {
	bytes.Buffer
	count int
}

func (w *writes) Write(p []byte) (int, error) {
	w.count++
	return w.Buffer.Write(p)
}

func appendOK(b []byte) []byte {
	b, at := bsonraw.BeginDoc(b)
	return bsonraw.EndDoc(bsonraw.AppendInt32(b, "ok", 1), at)
}

func TestReplyLayout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request OpCode
		prepare func(*Reply)
		want    string
	}{
		"OP_MSG":                 {OpMsg, func(*Reply) {}, "22000000 2a000000 07000000 dd070000 00000000 00 0d000000106f6b000100000000"},
		"OP_MSG, another soon":   {OpMsg, (*Reply).SetMoreToCome, "22000000 2a000000 07000000 dd070000 02000000 00 0d000000106f6b000100000000"},
		"OP_REPLY":               {OpQuery, (*Reply).SetMoreToCome, "31000000 2a000000 07000000 01000000 08000000 0000000000000000 00000000 01000000 0d000000106f6b000100000000"},
		"OP_REPLY, query failed": {OpQuery, (*Reply).SetQueryFailure, "31000000 2a000000 07000000 01000000 0a000000 0000000000000000 00000000 01000000 0d000000106f6b000100000000"},
	} {
		var w writes
		r := BeginReply(c.request, 7)
		c.prepare(r)
		r.SetBody(appendOK(r.Body()))
		if err := r.Finish(42); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := r.WriteTo(&w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := hex.EncodeToString(w.Bytes()), strings.ReplaceAll(c.want, " ", ""); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
		if w.count != 1 {
			t.Errorf("%s: %d writes, want one", name, w.count)
		}
		r.Release()
	}
}

func TestReplyWithoutABodyOrTooLongIsNotWritten(t *testing.T) {
	t.Parallel()
	r := BeginReply(OpMsg, 1)
	if err := r.Finish(2); err == nil {
		t.Error("a reply without a body can be finished")
	}
	b := r.AppendShared(r.Body(), make([]byte, MaxMessageLength))
	r.SetBody(b)
	if err := r.Finish(2); err == nil {
		t.Error("a reply that is too long can be finished")
	}
	r.Release()
}

// batch appends {"cursor": {"batch": [docs...]}, "ok": 1}, with the documents shared.
func batch(r *Reply, docs []bsonraw.Doc) {
	b, whole := bsonraw.BeginDoc(r.Body())
	b, cursor := bsonraw.BeginElem(b, bsonraw.TypeDocument, "cursor")
	b, array := bsonraw.BeginElem(b, bsonraw.TypeArray, "batch")
	for i, doc := range docs {
		b = bsonraw.AppendHeader(b, bsonraw.TypeDocument, string(rune('0'+i)))
		b = r.AppendShared(b, doc)
	}
	b = r.EndDoc(b, array)
	b = r.EndDoc(b, cursor)
	b = bsonraw.AppendInt32(b, "ok", 1)
	r.SetBody(r.EndDoc(b, whole))
}

func TestSharedBytesArriveInPlace(t *testing.T) {
	t.Parallel()
	for name, sizes := range map[string][]int{
		"none":           {},
		"small":          {1, 2, 3},
		"large":          {3000, 100_000, 1 << 20},
		"mixed":          {10, 3000, 10, 5000, 10},
		"large and last": {10, 1 << 20},
	} {
		var docs []bsonraw.Doc
		for _, n := range sizes {
			docs = append(docs, withText(n))
		}
		for round := range 2 { // the second use must not see the first one's pieces
			r := BeginReply(OpMsg, 7)
			batch(r, docs)
			if err := r.Finish(1); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := written(t, r)
			if n := int(binary.LittleEndian.Uint32(got)); n != len(got) {
				t.Fatalf("%s: header says %d bytes, %d were written", name, n, len(got))
			}
			body := got[msgPrefix:]
			if err := bsonraw.Validate(body, maxDepth); err != nil {
				t.Fatalf("%s, round %d: body: %v", name, round, err)
			}
			it := bsonraw.Doc(body).Lookup("cursor").Doc().Lookup("batch").Doc().Iter()
			for i, doc := range docs {
				if !it.Next() || !bytes.Equal(it.Value().Data, doc) {
					t.Errorf("%s, round %d: document %d differs", name, round, i)
				}
			}
			r.Release()
		}
	}
}

// written returns what the reply writes to a real connection, which has vectored writes.
func written(t *testing.T, r *Reply) []byte {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a listener on loopback is there at once
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	defer l.Close()
	received := make(chan []byte)
	go func() {
		defer close(received)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		all, _ := io.ReadAll(c)
		received <- all
	}()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if _, err := r.WriteTo(c); err != nil {
		t.Errorf("write: %v", err)
	}
	c.Close()
	return <-received
}

func TestGrowKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	r := BeginReply(OpMsg, 7)
	b, at := bsonraw.BeginDoc(r.Body())
	for i := range 200 {
		b = r.Grow(b, 1000)
		b = bsonraw.AppendString(b, "t", strings.Repeat(string(rune('a'+i%26)), 900))
	}
	r.SetBody(bsonraw.EndDoc(b, at))
	if err := r.Finish(1); err != nil {
		t.Fatalf("finish: %v", err)
	}
	var w writes
	if _, err := r.WriteTo(&w); err != nil {
		t.Fatalf("write: %v", err)
	}
	if err := bsonraw.Validate(w.Bytes()[msgPrefix:], maxDepth); err != nil {
		t.Errorf("body: %v", err)
	}
	if n := bsonraw.Doc(w.Bytes()[msgPrefix:]).Len(); n != 200 {
		t.Errorf("%d fields, want 200", n)
	}
	r.Release()
}
