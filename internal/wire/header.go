package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// MaxMessageLength is the largest message in bytes, header included: what hello announces as maxMessageSizeBytes.
const MaxMessageLength = 48_000_000

// headerLength is the size of what every message begins with: length, request id, response to, operation code.
const headerLength = 16

// OpCode says how the bytes after a message's header are laid out.
type OpCode int32

// The operation codes of the protocol. Those that servers since MongoDB 5.1 no longer take are known by name only, to refuse
// them with a reason.
const (
	OpReply       OpCode = 1
	OpUpdate      OpCode = 2001
	OpInsert      OpCode = 2002
	OpQuery       OpCode = 2004
	OpGetMore     OpCode = 2005
	OpDelete      OpCode = 2006
	OpKillCursors OpCode = 2007
	OpCompressed  OpCode = 2012
	OpMsg         OpCode = 2013
)

// String gives the name that the protocol's documentation uses.
func (o OpCode) String() string {
	switch o {
	case OpReply:
		return "OP_REPLY"
	case OpUpdate:
		return "OP_UPDATE"
	case OpInsert:
		return "OP_INSERT"
	case OpQuery:
		return "OP_QUERY"
	case OpGetMore:
		return "OP_GET_MORE"
	case OpDelete:
		return "OP_DELETE"
	case OpKillCursors:
		return "OP_KILL_CURSORS"
	case OpCompressed:
		return "OP_COMPRESSED"
	case OpMsg:
		return "OP_MSG"
	}
	return fmt.Sprintf("operation code %d", int32(o))
}

// Flags are the bits of an OP_MSG message.
type Flags uint32

// The bits that the protocol defines. A receiver must refuse unknown bits among the lower sixteen and ignore the others.
const (
	ChecksumPresent Flags = 1 << 0  // the message ends with its CRC-32C
	MoreToCome      Flags = 1 << 1  // the sender goes on without a reply: of a request, none is wanted; of a reply, another follows
	ExhaustAllowed  Flags = 1 << 16 // the client takes many replies to this request

	requiredFlags Flags = 1<<16 - 1
)

type header struct {
	length     int
	requestID  int32
	responseTo int32
	opCode     OpCode
}

// parseHeader checks what can be checked before the rest of the message is there, so that nothing is read or kept for one that
// will be refused. b holds at least headerLength bytes.
func parseHeader(b []byte) (header, *Error) {
	h := header{
		length:     int(int32(binary.LittleEndian.Uint32(b))),
		requestID:  int32(binary.LittleEndian.Uint32(b[4:])),
		responseTo: int32(binary.LittleEndian.Uint32(b[8:])),
		opCode:     OpCode(binary.LittleEndian.Uint32(b[12:])),
	}
	switch h.opCode {
	case OpMsg, OpQuery, OpCompressed, OpUpdate, OpInsert, OpGetMore, OpDelete, OpKillCursors, OpReply:
	default: // only now: the length of a message may look like the beginning of another protocol
		if other := otherProtocol(b); other != "" {
			return h, fatal("the client speaks %s, not MongoDB's wire protocol", other)
		}
	}
	if h.length < headerLength || h.length > MaxMessageLength {
		return h, fatal("a message says it has %d bytes; %d to %d are allowed", h.length, headerLength, MaxMessageLength)
	}
	switch h.opCode {
	case OpMsg, OpQuery, OpCompressed:
		return h, nil
	case OpUpdate, OpInsert, OpGetMore, OpDelete, OpKillCursors:
		return h, fatal("%v is no longer part of the protocol; the client's driver needs an upgrade", h.opCode)
	case OpReply:
		return h, fatal("%v is sent by servers only", h.opCode)
	}
	return h, fatal("%v is unknown", h.opCode)
}

// otherProtocol recognises what people most often point at a MongoDB port by mistake.
func otherProtocol(b []byte) string {
	if b[0] == 0x16 && b[1] == 3 {
		return "TLS, which this listener does not offer"
	}
	for _, method := range []string{"GET ", "POST", "PUT ", "HEAD"} {
		if bytes.HasPrefix(b, []byte(method)) {
			return "HTTP"
		}
	}
	return ""
}
