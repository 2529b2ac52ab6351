package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/golden"
)

// TestReadGolden reads every message of the golden file and compares with what stands beneath it.
func TestReadGolden(t *testing.T) {
	t.Parallel()
	golden.Files(t, "testdata/read.txt", func(t *testing.T, text string) string {
		t.Helper()
		blocks := strings.Split(text, "\n\n")
		for i, block := range blocks {
			if !strings.HasPrefix(block, "case ") {
				continue
			}
			input, _, _ := strings.Cut(block, "\n----")
			_, parts, _ := strings.Cut(input, "\n")
			blocks[i] = input + "\n----\n" + describeAll(assemble(t, parts))
		}
		return strings.TrimSpace(strings.Join(blocks, "\n\n")) + "\n"
	})
}

// describeAll reads messages until there is nothing to go on with, and says what came.
func describeAll(input []byte) string {
	var lines []string
	r := NewReader(bytes.NewReader(input), 64)
	for {
		m, err := r.Next()
		var problem *Error
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(lines, "\n")
		case errors.As(err, &problem):
			what := "refused"
			if problem.Fatal {
				what = "closed"
			}
			if problem.Answer {
				what += fmt.Sprintf(", %v %d answered", problem.OpCode, problem.RequestID)
			}
			lines = append(lines, fmt.Sprintf("%s: %d %v", what, problem.Code, problem))
			if problem.Fatal {
				return strings.Join(lines, "\n")
			}
		case err != nil:
			return strings.Join(append(lines, "stream: "+err.Error()), "\n")
		default:
			lines = append(lines, describe(m))
			m.Release()
		}
	}
}

func describe(m *Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %d", m.OpCode, m.RequestID)
	if m.Flags != 0 {
		fmt.Fprintf(&b, " flags %#x", uint32(m.Flags))
	}
	if !m.WantsReply() {
		b.WriteString(" no reply")
	}
	if m.Database != nil {
		fmt.Fprintf(&b, " database %s", m.Database)
	}
	if body := bson.Raw(m.Body).String(); len(body) < 500 {
		b.WriteString("\n  " + body)
	}
	for _, s := range m.Sequences {
		fmt.Fprintf(&b, "\n  %s (%d documents, %d bytes)", s.Name, s.Docs.Len(), s.Docs.Size())
		for i, doc := range s.Docs.All() {
			fmt.Fprintf(&b, "\n    %d %s", i, bson.Raw(doc))
		}
	}
	return b.String()
}

// assemble puts the bytes of messages together; the golden file's head says how.
func assemble(tb testing.TB, text string) []byte {
	tb.Helper()
	var out []byte
	start, auto := 0, false
	end := func() {
		if auto {
			binary.LittleEndian.PutUint32(out[start:], uint32(len(out)-start))
		}
	}
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		fields := strings.Fields(rest)
		switch word {
		case "":
		case "header":
			end()
			start, auto = len(out), fields[0] == "auto"
			if auto {
				fields[0] = "0"
			}
			out = appendNumbers(tb, out, fields)
		case "u32":
			out = appendNumbers(tb, out, fields)
		case "u8":
			for _, field := range fields {
				out = append(out, byte(number(tb, field)))
			}
		case "cstring":
			out = append(append(out, rest...), 0)
		case "text":
			out = append(out, rest...)
		case "hex":
			b, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
			if err != nil {
				tb.Fatalf("hex %q: %v", rest, err)
			}
			out = append(out, b...)
		case "doc":
			out = append(out, fromJSON(tb, rest)...)
		case "body":
			out = append(append(out, 0), fromJSON(tb, rest)...)
		case "nested":
			out = append(append(out, 0), nested(int(number(tb, rest)))...)
		case "sequence":
			var docs [][]byte
			for _, field := range fields[1:] {
				docs = append(docs, fromJSON(tb, field))
			}
			out = appendSequence(out, fields[0], docs...)
		case "checksum":
			binary.LittleEndian.PutUint32(out[start:], uint32(len(out)-start+checksumLength))
			auto = false
			out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(out[start:], castagnoli))
		default:
			tb.Fatalf("unknown part %q", line)
		}
	}
	end()
	return out
}

func number(tb testing.TB, text string) int64 {
	tb.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		tb.Fatalf("number: %v", err)
	}
	return n
}

func appendNumbers(tb testing.TB, out []byte, fields []string) []byte {
	tb.Helper()
	for _, field := range fields {
		out = binary.LittleEndian.AppendUint32(out, uint32(number(tb, field)))
	}
	return out
}

func appendSequence(out []byte, name string, docs ...[]byte) []byte {
	out = append(out, 1)
	at := len(out)
	out = append(append(append(out, 0, 0, 0, 0), name...), 0)
	for _, doc := range docs {
		out = append(out, doc...)
	}
	binary.LittleEndian.PutUint32(out[at:], uint32(len(out)-at))
	return out
}

func fromJSON(tb testing.TB, text string) []byte {
	tb.Helper()
	var doc bson.Raw
	if err := bson.UnmarshalExtJSON([]byte(text), false, &doc); err != nil {
		tb.Fatalf("document %s: %v", text, err)
	}
	return doc
}

// nested returns a document with n documents in it, each in the one before.
func nested(n int) bsonraw.Doc {
	doc := bsonraw.Empty
	for range n {
		outer, at := bsonraw.BeginDoc(nil)
		doc = bsonraw.EndDoc(bsonraw.AppendDoc(outer, "a", doc), at)
	}
	return doc
}

// request returns the bytes of an OP_MSG message without flags.
func request(id int32, body []byte, sequences ...[]byte) []byte {
	out := make([]byte, headerLength+4, headerLength+5+len(body))
	binary.LittleEndian.PutUint32(out[4:], uint32(id))
	binary.LittleEndian.PutUint32(out[12:], uint32(OpMsg))
	out = append(append(out, 0), body...)
	for _, s := range sequences {
		out = append(out, s...)
	}
	binary.LittleEndian.PutUint32(out, uint32(len(out)))
	return out
}
