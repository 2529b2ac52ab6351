package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	opMsg         = 2013
	messageHeader = 16
	bodyAt        = messageHeader + 4 + 1 // after the flags and the kind of the first section
	maxReplyBytes = 48_000_000
	// answerTimeout bounds the wait for one answer: longer than any getMore waits, and than any server here takes.
	answerTimeout = 60 * time.Second
)

// connection is one connection to a server, without anything that a driver does beside: the load generator shares the machine with the
// server it measures, and is to cost as little as may be. It belongs to one goroutine.
type connection struct {
	net.Conn
	reader *bufio.Reader
	reply  []byte
	unbind func() bool
}

// dial connects, through the network unless a dialer is given. The end of ctx ends whatever waits on the connection, for good.
func dial(ctx context.Context, dialer options.ContextDialer, address string) (*connection, error) {
	if dialer == nil {
		dialer = new(net.Dialer)
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}
	c.unbind = context.AfterFunc(ctx, func() { _ = conn.Close() })
	return c, nil
}

func (c *connection) close() {
	c.unbind()
	_ = c.Close() // nothing is lost with it
}

// ask sends a message and returns the server's answer, which is valid until the next call. It fails when the answer is not {ok: 1},
// or tells of failed writes.
func (c *connection) ask(m message) (bson.Raw, error) {
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.Write(m); err != nil {
		return nil, err
	}
	header, err := c.reader.Peek(messageHeader)
	if err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint32(header))
	if size <= bodyAt || size > maxReplyBytes {
		return nil, fmt.Errorf("the server answered %d bytes", size)
	}
	if cap(c.reply) < size {
		c.reply = make([]byte, size)
	}
	if _, err := io.ReadFull(c.reader, c.reply[:size]); err != nil {
		return nil, err
	}
	reply := bson.Raw(c.reply[bodyAt:size])
	if ok, is := reply.Lookup("ok").AsInt64OK(); !is || ok != 1 {
		return nil, fmt.Errorf("the server answered %s", reply)
	}
	if errs, err := reply.LookupErr("writeErrors"); err == nil {
		return nil, fmt.Errorf("the server answered %s", errs)
	}
	return reply, nil
}

// message is an OP_MSG as it goes over the wire. Values of fixed size are changed in it from one sending to the next.
type message []byte

// newMessage makes a message of a command and, where sequence is given, of its documents by that name.
func newMessage(database string, command bson.D, sequence string, documents ...bson.Raw) (message, error) {
	body, err := bson.Marshal(append(command, bson.E{Key: "$db", Value: database}))
	if err != nil {
		return nil, err
	}
	m := make(message, bodyAt, bodyAt+len(body))
	binary.LittleEndian.PutUint32(m[12:], opMsg)
	m = append(m, body...)
	if sequence != "" {
		m = append(m, 1) // the section's kind
		at := len(m)
		m = append(m, 0, 0, 0, 0)
		m = append(m, sequence...)
		m = append(m, 0)
		for _, doc := range documents {
			m = append(m, doc...)
		}
		binary.LittleEndian.PutUint32(m[at:], uint32(len(m)-at))
	}
	binary.LittleEndian.PutUint32(m, uint32(len(m)))
	return m, nil
}

// body is the command, in place.
func (m message) body() bson.Raw {
	return bson.Raw(m[bodyAt:][:binary.LittleEndian.Uint32(m[bodyAt:])])
}

// place is where an int64 stands in a document: what is written there changes the document.
func place(doc bson.Raw, path ...string) []byte { return doc.Lookup(path...).Value }

func setNumber(at []byte, v int64) { binary.LittleEndian.PutUint64(at, uint64(v)) }

// sequence are the documents of the message's second section, in place.
func (m message) sequence() []bson.Raw {
	rest := m[bodyAt+len(m.body()):]
	for rest = rest[1+4:]; rest[0] != 0; rest = rest[1:] { // the name
	}
	var documents []bson.Raw
	for rest = rest[1:]; len(rest) > 0; {
		size := binary.LittleEndian.Uint32(rest)
		documents = append(documents, bson.Raw(rest[:size]))
		rest = rest[size:]
	}
	return documents
}
