package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// withText returns {"t": text of n bytes}.
func withText(n int) bsonraw.Doc {
	doc, at := bsonraw.BeginDoc(nil)
	doc = bsonraw.AppendString(doc, "t", strings.Repeat("x", n))
	return bsonraw.EndDoc(doc, at)
}

func TestMessagesOfEverySizeArriveWholeHoweverTheyAreCut(t *testing.T) {
	t.Parallel()
	var stream []byte
	sizes := []int{0, 1, 900, 1 << 10, 5 << 10, 64 << 10, 70 << 10, 1 << 20, 5 << 20, 15 << 20}
	for i, n := range sizes {
		stream = append(stream, request(int32(i), withText(n))...)
	}
	for name, src := range map[string]io.Reader{
		"whole":                   bytes.NewReader(stream),
		"halved":                  iotest.HalfReader(bytes.NewReader(stream)),
		"EOF with the last bytes": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		r := NewReader(src, 512)
		for i, n := range sizes {
			m, err := r.Next()
			if err != nil {
				t.Fatalf("%s: message %d: %v", name, i, err)
			}
			if got := m.Body.Lookup("t").Bytes(); m.RequestID != int32(i) || len(got) != n || strings.Trim(string(got), "x") != "" {
				t.Errorf("%s: message %d arrived as %d with %d bytes of text, want %d", name, i, m.RequestID, len(got), n)
			}
			m.Release()
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v, want io.EOF", name, err)
		}
	}
}

func TestLengthsThatLookLikeAnotherProtocol(t *testing.T) {
	t.Parallel()
	empty := len(request(0, withText(0)))
	for _, length := range []int{0x0316, 0x010316, 0x030316} { // TLS begins with the bytes 16 03
		m, err := NewReader(bytes.NewReader(request(1, withText(length-empty))), 512).Next()
		if err != nil {
			t.Errorf("a message of %d bytes: %v", length, err)
			continue
		}
		m.Release()
	}
}

func TestByteByByte(t *testing.T) {
	t.Parallel()
	stream := append(request(1, withText(3)), request(2, withText(2000))...)
	r := NewReader(iotest.OneByteReader(bytes.NewReader(stream)), 512)
	for want := range int32(2) {
		m, err := r.Next()
		if err != nil {
			t.Fatalf("message %d: %v", want+1, err)
		}
		if m.RequestID != want+1 {
			t.Errorf("got message %d, want %d", m.RequestID, want+1)
		}
		m.Release()
	}
}

func TestAnnouncingMuchAndSendingLittleCostsLittle(t *testing.T) { //nolint:paralleltest // allocations of other tests would be counted
	announced := request(1, withText(0))
	binary.LittleEndian.PutUint32(announced, MaxMessageLength)
	announced = append(announced, make([]byte, 100<<10)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const strangers = 20
	for range strangers {
		if _, err := NewReader(bytes.NewReader(announced), 512).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("a message cut off: %v, want io.ErrUnexpectedEOF", err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / strangers; each > 2<<20 {
		t.Errorf("100 KiB of an announced 48 MB cost %d bytes of memory", each)
	}
}

func TestFailureWithinAMessage(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	whole := request(1, withText(100))
	for _, cut := range []int{4, 20, 100} {
		r := NewReader(io.MultiReader(bytes.NewReader(whole[:cut]), iotest.ErrReader(broken)), 512)
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v, want the stream's error", cut, err)
		}
	}
}

// TestReadingGoesOnAfterAnInterruption holds what watching for a disconnect rests on: an error of the stream, such as a deadline,
// loses no bytes.
func TestReadingGoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	interrupted := errors.New("interrupted")
	whole := request(1, withText(100))
	r := NewReader(&stutter{err: interrupted, parts: [][]byte{nil, whole[:10], whole[10:]}}, 512)
	if err := r.WaitByte(); !errors.Is(err, interrupted) {
		t.Fatalf("first wait: %v, want the interruption", err)
	}
	if err := r.Wait(); !errors.Is(err, interrupted) {
		t.Fatalf("second wait: %v, want the interruption", err)
	}
	if r.Whole() {
		t.Error("a message is said to be whole before its header is there")
	}
	if err := r.Wait(); err != nil {
		t.Fatalf("third wait: %v", err)
	}
	if !r.Whole() {
		t.Error("the message is there, but not said to be whole")
	}
	m, err := r.Next()
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	m.Release()
}

// stutter gives its parts, with an error between each two.
type stutter struct {
	err   error
	parts [][]byte
	given bool
}

func (s *stutter) Read(p []byte) (int, error) {
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	if s.given || len(s.parts[0]) == 0 {
		s.parts, s.given = s.parts[1:], false
		return 0, s.err
	}
	s.given = true
	return copy(p, s.parts[0]), nil
}

func TestDocumentsOverTheLimitAreRefusedAndReadingGoesOn(t *testing.T) {
	t.Parallel()
	largest := withText(maxDocumentLength - len(withText(0)))
	over := withText(maxDocumentLength - len(withText(0)) + 1)
	stream := append(request(1, largest), request(2, withText(1), appendSequence(nil, "documents", over))...)
	stream = append(stream, request(3, withText(1))...)
	r := NewReader(bytes.NewReader(stream), 512)
	m, err := r.Next()
	if err != nil {
		t.Fatalf("the largest document: %v", err)
	}
	m.Release()
	var problem *Error
	if _, err = r.Next(); !errors.As(err, &problem) || problem.Code != codeBSONObjectTooLarge || problem.Fatal || !problem.Answer || problem.RequestID != 2 {
		t.Fatalf("a document one byte larger: %v (%+v), want it answered with code %d", err, problem, codeBSONObjectTooLarge)
	}
	if m, err = r.Next(); err != nil || m.RequestID != 3 {
		t.Fatalf("the next message: %v", err)
	}
	m.Release()
}

func TestBuffersGoToThePoolOfTheirSize(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, smallestBuffer, smallestBuffer + 1, largestPooled, largestPooled + 1, MaxMessageLength} {
		buf := getBuffer(n)
		if cap(buf.b) < n || len(buf.b) != 0 {
			t.Errorf("getBuffer(%d) has length %d and room for %d", n, len(buf.b), cap(buf.b))
		}
		buf.release()
	}
	odd := &buffer{b: make([]byte, 0, 5000)}
	odd.release() // to the pool of 4 KiB: it would be too small for the next
	for range 100 {
		if buf := getBuffer(5000); cap(buf.b) < 5000 {
			t.Fatalf("getBuffer(5000) gave room for %d", cap(buf.b))
		}
	}
}

func TestSequencesByName(t *testing.T) {
	t.Parallel()
	r := NewReader(bytes.NewReader(request(1, withText(1), appendSequence(nil, "ops", withText(1), withText(2)), appendSequence(nil, "nsInfo"))), 512)
	m, err := r.Next()
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	defer m.Release()
	ops, found := m.Sequence("ops")
	if !found || ops.Len() != 2 {
		t.Errorf("ops: %v, %d documents, want 2", found, ops.Len())
	}
	for i, doc := range ops.All() {
		if got := len(doc.Lookup("t").Bytes()); got != i+1 {
			t.Errorf("document %d has %d bytes of text", i, got)
		}
		break
	}
	if _, found = m.Sequence("documents"); found {
		t.Error("a sequence that was not sent is found")
	}
}
