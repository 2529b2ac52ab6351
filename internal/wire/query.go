package wire

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// commandCollection is what OP_QUERY messages that carry a command are addressed to.
const commandCollection = ".$cmd"

// parseQuery reads an OP_QUERY message, whose bytes are whole: flags, namespace, number to skip, number to return, query, and
// perhaps a projection, which commands do not have.
func (m *Message) parseQuery(whole []byte) *Error {
	b := whole[headerLength:]
	if len(b) < 4 {
		return fatal("an OP_QUERY message ends before its flags")
	}
	b = b[4:] // slaveOk and the like: nothing that a handshake depends on
	end := bytes.IndexByte(b, 0)
	if end < 0 || len(b) < end+1+8 {
		return fatal("an OP_QUERY message ends before its query")
	}
	namespace := b[:end]
	toReturn := int32(binary.LittleEndian.Uint32(b[end+5:]))
	query, _, err := cutDocument(b[end+9:], "the query")
	if err != nil {
		return err
	}
	if !bytes.HasSuffix(namespace, []byte(commandCollection)) || len(namespace) == len(commandCollection) {
		return refused(codeOpQueryRemoved, "OP_QUERY is no longer supported. The client driver may require an upgrade")
	}
	if toReturn != 1 && toReturn != -1 {
		return refused(codeBadNumberToReturn, "Bad numberToReturn (%d) for $cmd type ns - can only be 1 or -1", toReturn)
	}
	m.Database = namespace[:len(namespace)-len(commandCollection)]
	m.Body = query
	if it := query.Iter(); it.Next() && string(it.Key()) == "$query" && it.Value().Type == bsonraw.TypeDocument {
		m.Body = it.Value().Doc()
	}
	return nil
}

// parseCompressed refuses an OP_COMPRESSED message, naming what it holds: original operation code, length when decompressed,
// compressor, bytes.
func (m *Message) parseCompressed(whole []byte) *Error {
	b := whole[headerLength:]
	if len(b) < 9 {
		return fatal("an OP_COMPRESSED message ends before its bytes")
	}
	original := OpCode(binary.LittleEndian.Uint32(b))
	if original != OpMsg && original != OpQuery {
		return fatal("an OP_COMPRESSED message holds %v", original)
	}
	m.OpCode = original // the reply is laid out for it
	return malformed(codeProtocolError, "an OP_COMPRESSED message (%v, %s) came, but no compressor was agreed on in the handshake",
		original, compressor(b[8]))
}

func compressor(id byte) string {
	switch id {
	case 0:
		return "noop"
	case 1:
		return "snappy"
	case 2:
		return "zlib"
	case 3:
		return "zstd"
	}
	return "compressor " + strconv.Itoa(int(id))
}

// printable makes a name from outside fit for an error message.
func printable(name []byte) string {
	const most = 64
	return strconv.QuoteToASCII(string(name[:min(len(name), most)]))
}
