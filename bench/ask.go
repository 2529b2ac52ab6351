package main

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
	opMsg          = 2013
	messageHeader  = 16
	maxReplyBytes  = 48_000_000
	askTimeout     = 10 * time.Second
	bodyAt         = messageHeader + 4 + 1 // after the flags and the kind of the only section
	smallestAnswer = bodyAt + 5
)

// ask sends one command on a connection of its own: a driver would first take its time to get to know the server.
func ask(ctx context.Context, address string, command bson.D) (bson.Raw, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	body, err := bson.Marshal(append(command, bson.E{Key: "$db", Value: "admin"}))
	if err != nil {
		return nil, err
	}
	message := make([]byte, bodyAt, bodyAt+len(body))
	binary.LittleEndian.PutUint32(message, uint32(bodyAt+len(body)))
	binary.LittleEndian.PutUint32(message[12:], opMsg)
	if _, err := conn.Write(append(message, body...)); err != nil {
		return nil, err
	}
	header := make([]byte, messageHeader)
	if _, err := io.ReadFull(conn, header); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(header)
	if size < smallestAnswer || size > maxReplyBytes {
		return nil, fmt.Errorf("%s answered %d bytes", address, size)
	}
	rest := make([]byte, size-messageHeader)
	if _, err := io.ReadFull(conn, rest); err != nil {
		return nil, err
	}
	return bson.Raw(rest[bodyAt-messageHeader:]), nil
}
