package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

const (
	checksumLength = 4
	// maxDocumentLength leaves room around a document of the largest stored size, as MongoDB does: a command may carry one and
	// still say what to do with it.
	maxDocumentLength = bsonraw.MaxDocumentSize + 16<<10
	// maxDepth counts the document itself too; the limit is for what is nested in it.
	maxDepth = bsonraw.MaxMessageDepth + 1
	// maxSequences keeps a message of nothing but empty sections from costing more than its bytes.
	maxSequences = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// parseMsg reads flags and sections of an OP_MSG message, whose bytes are whole.
func (m *Message) parseMsg(whole []byte) *Error {
	if len(whole) < headerLength+4 {
		return fatal("an OP_MSG message ends before its flags")
	}
	m.Flags = Flags(binary.LittleEndian.Uint32(whole[headerLength:]))
	if unknown := m.Flags & requiredFlags &^ (ChecksumPresent | MoreToCome); unknown != 0 {
		return fatal("an OP_MSG message has unknown required flags %#x", uint32(unknown))
	}
	rest := whole[headerLength+4:]
	if m.Flags&ChecksumPresent != 0 {
		if len(rest) < checksumLength {
			return fatal("an OP_MSG message ends before its checksum")
		}
		end := len(whole) - checksumLength
		if crc32.Checksum(whole[:end], castagnoli) != binary.LittleEndian.Uint32(whole[end:]) {
			return fatal("an OP_MSG message's checksum does not match its bytes")
		}
		rest = rest[:len(rest)-checksumLength]
	}
	for len(rest) > 0 {
		var err *Error
		if rest, err = m.parseSection(rest[0], rest[1:]); err != nil {
			return err
		}
	}
	if m.Body == nil {
		return malformed(codeNoBody, "OP_MSG messages must have a body")
	}
	for i := range m.Sequences {
		if name := m.Sequences[i].Name; hasField(m.Body, name) {
			return refused(codeDuplicateField, "a document sequence and the body have the same field").withCause(errors.New(printable(name)))
		}
	}
	return nil
}

// parseSection reads the section of that kind at the start of b and returns what follows it.
func (m *Message) parseSection(kind byte, b []byte) (rest []byte, err *Error) {
	switch kind {
	case 0:
		if m.Body != nil {
			return nil, malformed(codeTwoBodies, "Multiple body sections in message")
		}
		m.Body, rest, err = cutDocument(b, "the body")
		return rest, err
	case 1:
		return m.parseSequence(b)
	}
	return nil, malformed(codeProtocolError, "an OP_MSG message has a section of unknown kind %d", kind)
}

func (m *Message) parseSequence(b []byte) (rest []byte, err *Error) {
	if len(b) < 4 {
		return nil, malformed(codeOverflow, "a document sequence ends before its length")
	}
	n := int(int32(binary.LittleEndian.Uint32(b)))
	if n < 5 || n > len(b) {
		return nil, malformed(codeOverflow, "a document sequence says it has %d bytes where %d are left", n, len(b))
	}
	section, rest := b[4:n], b[n:]
	name, docs, ended := bytes.Cut(section, []byte{0})
	if !ended {
		return nil, malformed(codeOverflow, "a document sequence's name does not end")
	}
	if _, twice := m.Sequence(string(name)); twice {
		return nil, malformed(codeDuplicateSequence, "Duplicate document sequence").withCause(errors.New(printable(name)))
	}
	if len(m.Sequences) == maxSequences {
		return nil, malformed(codeProtocolError, "an OP_MSG message has more than %d document sequences", maxSequences)
	}
	count := 0
	for left := docs; len(left) > 0; count++ {
		if _, left, err = cutDocument(left, "a document of a sequence"); err != nil {
			return nil, err
		}
	}
	m.Sequences = append(m.Sequences, Sequence{Name: name, Docs: Documents{raw: docs, count: count}})
	return rest, nil
}

// cutDocument checks the document at the start of b and returns it with what follows.
func cutDocument(b []byte, what string) (doc bsonraw.Doc, rest []byte, err *Error) {
	if len(b) < 4 {
		return nil, nil, malformed(codeInvalidBSON, "%s ends before its length", what)
	}
	n := int(int32(binary.LittleEndian.Uint32(b)))
	if n < 5 || n > len(b) {
		return nil, nil, malformed(codeInvalidBSON, "%s says it has %d bytes; 5 to %d are possible where it stands", what, n, len(b))
	}
	if n > maxDocumentLength {
		return nil, nil, refused(codeBSONObjectTooLarge, "BSONObj size: %d (%#x) is invalid. Size must be between 0 and %d(16MB)", n, n, maxDocumentLength)
	}
	if problem := bsonraw.Validate(b[:n], maxDepth); problem != nil {
		if errors.Is(problem, bsonraw.ErrTooDeep) {
			return nil, nil, refused(codeOverflow, "%s exceeds the maximum nesting depth of %d", what, bsonraw.MaxMessageDepth)
		}
		return nil, nil, malformed(codeInvalidBSON, "%s is not valid BSON", what).withCause(problem)
	}
	return bsonraw.Doc(b[:n:n]), b[n:], nil
}

func hasField(doc bsonraw.Doc, name []byte) bool {
	for it := doc.Iter(); it.Next(); {
		if bytes.Equal(it.Key(), name) {
			return true
		}
	}
	return false
}
