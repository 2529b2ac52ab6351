package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	opReply       = 1
	opQuery       = 2004
	opMsg         = 2013
	messageHeader = 16
	bodyAt        = messageHeader + 4 + 1 // after the flags and the kind of the first section
	maxMessage    = 48_000_000
	documentBytes = 300
	cursorID      = 1
)

// connection serves one client.
type connection struct {
	socket  net.Conn
	reader  *bufio.Reader
	journal *journal
	work    time.Duration // a command takes of a processor
	message []byte
	reply   []byte
	inside  []byte   // what its transaction has written
	stream  position // of its stream
}

func newConnection(socket net.Conn, j *journal, work time.Duration) *connection {
	return &connection{socket: socket, reader: bufio.NewReaderSize(socket, 16<<10), journal: j, work: work}
}

// serve answers until the client is gone.
func (c *connection) serve() error {
	for {
		header, err := c.reader.Peek(messageHeader)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		size := int(binary.LittleEndian.Uint32(header))
		if size <= bodyAt || size > maxMessage {
			return fmt.Errorf("a message of %d bytes", size)
		}
		if cap(c.message) < size {
			c.message = make([]byte, size)
		}
		c.message = c.message[:size]
		if _, err := io.ReadFull(c.reader, c.message); err != nil {
			return err
		}
		if err := c.answer(); err != nil {
			return err
		}
	}
}

// answer answers the message.
func (c *connection) answer() error {
	switch binary.LittleEndian.Uint32(c.message[12:]) {
	case opMsg:
		c.begin(opMsg, make([]byte, bodyAt-messageHeader))
	case opQuery: // a driver's greeting
		fields := make([]byte, 20)
		fields[16] = 1 // document
		c.begin(opReply, fields)
		return c.send(hello(c.socket.LocalAddr().String()))
	default:
		return errors.New("an unknown kind of message")
	}
	body := bson.Raw(c.message[bodyAt:])
	body = body[:binary.LittleEndian.Uint32(body)]
	for begun := time.Now(); time.Since(begun) < c.work; {
	}
	reply, err := c.run(body, c.message[bodyAt+len(body):])
	if err != nil {
		return err
	}
	return c.send(reply)
}

// begin begins a reply with its header and the fields before its document.
func (c *connection) begin(opcode uint32, fields []byte) {
	c.reply = append(c.reply[:0], make([]byte, messageHeader)...)
	copy(c.reply[8:12], c.message[4:8])
	binary.LittleEndian.PutUint32(c.reply[12:], opcode)
	c.reply = append(c.reply, fields...)
}

func (c *connection) send(document []byte) error {
	c.reply = append(c.reply, document...)
	binary.LittleEndian.PutUint32(c.reply, uint32(len(c.reply)))
	_, err := c.socket.Write(c.reply)
	return err
}

// run returns the reply to a command.
func (c *connection) run(body bson.Raw, sequence []byte) ([]byte, error) {
	first, err := body.IndexErr(0)
	if err != nil {
		return nil, err
	}
	switch first.Key() {
	case "hello", "isMaster", "ismaster":
		return hello(c.socket.LocalAddr().String()), nil
	case "insert":
		return c.insert(body, sequence)
	case "update":
		return written, c.journal.write(c.message, updateEvent)
	case "commitTransaction":
		err := c.journal.write(append(c.inside, c.message...))
		c.inside = c.inside[:0]
		return done, err
	case "find":
		return found, nil
	case "aggregate":
		c.stream = c.journal.present()
		return opened, nil
	case "getMore":
		return batch(c.journal.read(&c.stream)), nil
	case "drop":
		c.journal.reset()
	}
	return done, nil
}

// insert takes the documents of a sequence.
func (c *connection) insert(body bson.Raw, sequence []byte) ([]byte, error) {
	const name = 1 + 4 + len("documents\x00")
	if len(sequence) < name {
		return nil, errors.New("an insert without a sequence of documents")
	}
	if _, err := body.LookupErr("autocommit"); err == nil {
		c.inside = append(c.inside, c.message...)
		return written, nil
	}
	var events [][]byte
	for rest := sequence[name:]; len(rest) > 0; {
		size := binary.LittleEndian.Uint32(rest)
		events = append(events, insertEvent(rest[:size]))
		rest = rest[size:]
	}
	return written, c.journal.write(c.message, events...)
}

// insertEvent is an event with a document.
func insertEvent(document []byte) []byte {
	event := make([]byte, 0, len(eventBegin)+len(document)+1)
	event = append(append(event, eventBegin...), document...)
	event = append(event, 0)
	binary.LittleEndian.PutUint32(event, uint32(len(event)))
	return event
}

// batch is the reply to a getMore.
func batch(events [][]byte) []byte {
	size := 0
	for _, e := range events {
		size += len(e) + 8 // its place, the longest that there is here
	}
	b := make([]byte, 0, size+256)
	b = append(b, batchBegin...)
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	for i, e := range events {
		b = append(b, byte(bson.TypeEmbeddedDocument))
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(append(b, 0), e...)
	}
	b = append(b, 0)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at))
	b = append(b, 0) // the cursor's end
	binary.LittleEndian.PutUint32(b[batchCursorAt:], uint32(len(b)-batchCursorAt))
	b = append(b, byte(bson.TypeInt32))
	b = append(b, "ok\x00\x01\x00\x00\x00\x00"...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}
