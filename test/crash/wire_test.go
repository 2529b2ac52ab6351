package crash

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	opMsg         = 2013
	headerBytes   = 16
	maxReplyBytes = 48 << 20
	// replyTimeout bounds one command. Streams wait half a second at most; the rest is for a loaded machine.
	replyTimeout = 20 * time.Second
)

// conn is one connection that sends commands as they are: no retries, no sessions of its own, no monitoring.
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

// run sends one command and returns the reply's document. It ends when ctx does. After an error the connection is of no more use.
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
		return nil, err
	}
	return c.readReply()
}

func (c *conn) readReply() (bson.Raw, error) {
	var header [headerBytes]byte
	if _, err := io.ReadFull(c.net, header[:]); err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint32(header[:]))
	responseTo := int32(binary.LittleEndian.Uint32(header[8:]))
	opCode := binary.LittleEndian.Uint32(header[12:])
	if size < headerBytes+5 || size > maxReplyBytes || responseTo != c.requestID || opCode != opMsg {
		return nil, fmt.Errorf("reply to request %d: size %d, response to %d, opcode %d", c.requestID, size, responseTo, opCode)
	}
	rest := make([]byte, size-headerBytes)
	if _, err := io.ReadFull(c.net, rest); err != nil {
		return nil, err
	}
	if flags := binary.LittleEndian.Uint32(rest); flags != 0 || rest[4] != 0 {
		return nil, fmt.Errorf("reply with flags %#x and a section of kind %d, expected none and 0", flags, rest[4])
	}
	reply := bson.Raw(rest[5:])
	return reply, reply.Validate()
}

// document marshals what the test itself wrote; it cannot fail on that.
func document(d bson.D) bson.Raw {
	raw, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return raw
}

// serverError is a reply that says no.
type serverError struct {
	code    int64
	message string
	labels  []string
}

func (e *serverError) Error() string {
	return fmt.Sprintf("code %d: %s %q", e.code, e.message, e.labels)
}

func (e *serverError) has(label string) bool { return slices.Contains(e.labels, label) }

// replyError is the error in a reply, wherever a server may put one: the command's, a statement's, the write concern's.
func replyError(reply bson.Raw) error {
	failure := reply
	ok, _ := reply.Lookup("ok").AsInt64OK()
	if errs, isArray := reply.Lookup("writeErrors").ArrayOK(); isArray {
		values, err := errs.Values()
		if err != nil || len(values) == 0 {
			return fmt.Errorf("writeErrors is no list of errors: %s", reply)
		}
		failure, _ = values[0].DocumentOK()
	} else if concern, isDocument := reply.Lookup("writeConcernError").DocumentOK(); isDocument {
		failure = concern
	} else if ok == 1 {
		return nil
	}
	e := &serverError{message: failure.Lookup("errmsg").String()}
	e.code, _ = failure.Lookup("code").AsInt64OK()
	for _, from := range []bson.Raw{reply, failure} {
		if labels, isArray := from.Lookup("errorLabels").ArrayOK(); isArray {
			values, _ := labels.Values()
			for _, v := range values {
				label, _ := v.StringValueOK()
				e.labels = append(e.labels, label)
			}
		}
	}
	return e
}
