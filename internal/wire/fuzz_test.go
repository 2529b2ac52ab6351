package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// FuzzReader feeds the reader anything: it must not panic, must cut messages where their headers say, and what it hands out
// must hold what Message promises.
func FuzzReader(f *testing.F) {
	text, err := os.ReadFile("testdata/read.txt")
	if err != nil {
		f.Fatalf("read the golden file: %v", err)
	}
	for block := range strings.SplitSeq(string(text), "\n\n") {
		if input, _, found := strings.Cut(block, "\n----"); found {
			_, parts, _ := strings.Cut(input, "\n")
			f.Add(assemble(f, parts))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream), 64)
		for {
			m, err := r.Next()
			var problem *Error
			switch {
			case errors.As(err, &problem):
				if problem.Reason == "" || problem.Code == 0 {
					t.Fatalf("an error without reason or code: %+v", problem)
				}
				if problem.Fatal {
					return
				}
				continue
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				return
			case err != nil:
				t.Fatalf("neither a message nor a reason: %v", err)
			}
			checkPromises(t, m)
			m.Release()
		}
	})
}

func checkPromises(t *testing.T, m *Message) {
	t.Helper()
	if err := bsonraw.Validate(m.Body, maxDepth); err != nil {
		t.Fatalf("the body: %v", err)
	}
	for _, s := range m.Sequences {
		if m.Body.Lookup(string(s.Name)).Type != bsonraw.TypeMissing {
			t.Fatalf("field %q is in the body too", s.Name)
		}
		count, size := 0, 0
		for i, doc := range s.Docs.All() {
			if err := bsonraw.Validate(doc, maxDepth); err != nil {
				t.Fatalf("document %d: %v", i, err)
			}
			count, size = count+1, size+len(doc)
		}
		if count != s.Docs.Len() || size != s.Docs.Size() {
			t.Fatalf("%d documents of %d bytes, said to be %d of %d", count, size, s.Docs.Len(), s.Docs.Size())
		}
	}
}
