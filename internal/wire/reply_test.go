package wire

import (
	"bytes"
	"encoding/hex"
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
	b := append(r.Body(), make([]byte, MaxMessageLength)...)
	r.SetBody(b)
	if err := r.Finish(2); err == nil {
		t.Error("a reply that is too long can be finished")
	}
	r.Release()
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
