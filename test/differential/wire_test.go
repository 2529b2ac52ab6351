package differential

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	opMsg         = 2013
	headerBytes   = 16
	maxReplyBytes = 48 << 20
	// replyTimeout bounds one command. None waits longer than a fraction of a second; the rest is for a loaded machine.
	replyTimeout = 60 * time.Second
)

// conn is one connection that sends commands as they are: no session, no retry, no field is added.
type conn struct {
	net       net.Conn
	requestID int32
}

func dial(ctx context.Context, address string) (*conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &conn{net: nc}, nil
}

func (c *conn) close() { _ = c.net.Close() }

// run sends one command and returns the reply's document. After an error the connection is of no more use.
func (c *conn) run(ctx context.Context, command bson.Raw) (bson.Raw, error) {
	if err := c.net.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.net.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c.requestID++
	size := headerBytes + 4 + 1 + len(command)
	message := make([]byte, 0, size)
	for _, v := range []int32{int32(size), c.requestID, 0, opMsg, 0} { // the last is the flags
		message = binary.LittleEndian.AppendUint32(message, uint32(v))
	}
	message = append(message, 0) // one section, of kind 0: the body
	message = append(message, command...)
	if _, err := c.net.Write(message); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	var header [headerBytes]byte
	if _, err := io.ReadFull(c.net, header[:]); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	length := int(binary.LittleEndian.Uint32(header[:]))
	if length < headerBytes+5 || length > maxReplyBytes {
		return nil, fmt.Errorf("receive: a reply of %d bytes", length)
	}
	rest := make([]byte, length-headerBytes)
	if _, err := io.ReadFull(c.net, rest); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	if flags := binary.LittleEndian.Uint32(rest); flags != 0 || rest[4] != 0 {
		return nil, fmt.Errorf("receive: flags %#x and a section of kind %d, expected none and 0", flags, rest[4])
	}
	reply := bson.Raw(rest[5:])
	if err := reply.Validate(); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	return reply, nil
}
