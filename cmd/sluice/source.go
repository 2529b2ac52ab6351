package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice/engine"
)

const (
	defaultAddress  = "127.0.0.1:27017"
	selectionLimit  = 10 * time.Second       // the driver's own 30 s are long for somebody who mistyped an address
	disconnectLimit = 200 * time.Millisecond // for the connections that are in use to be given back
)

// source is what is watched: a server, or the engine in this process.
type source struct {
	client *mongo.Client
	engine *engine.Engine // nil for a server
}

// connect makes a client for a server. It talks to nobody yet.
func connect(uri string) (*source, error) {
	srv := strings.HasPrefix(uri, "mongodb+srv://")
	if !srv && !strings.HasPrefix(uri, "mongodb://") {
		return nil, misusef("the URI must begin with mongodb:// or mongodb+srv://, as in mongodb://localhost:27017")
	}
	opts := options.Client().ApplyURI(uri)
	if err := opts.Validate(); err != nil {
		if srv { // which looked the servers up
			return nil, fmt.Errorf("find the servers: %w", err)
		}
		return nil, misusef("the URI cannot be used: %v", err)
	}
	if opts.ServerSelectionTimeout == nil {
		opts.SetServerSelectionTimeout(selectionLimit)
	}
	client, err := newClient(opts)
	if err != nil {
		return nil, err
	}
	return &source{client: client}, nil
}

// embed opens an engine in this process, which other clients reach at an address: the one that is asked for, else
// MongoDB's usual one, else, when that is taken, any.
func embed(ctx context.Context, cfg engine.Config, address string) (*source, error) {
	e, err := engine.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &source{engine: e}
	if address != "" {
		err = withFreeAddress(listen(e, address))
	} else if err = listen(e, defaultAddress); err != nil {
		err = listen(e, "127.0.0.1:0")
	}
	if err == nil {
		s.client, err = newClient(options.Client().ApplyURI(e.URI()).SetDialer(e))
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return s, nil
}

func newClient(opts *options.ClientOptions) (*mongo.Client, error) {
	if opts.AppName == nil {
		opts.SetAppName(programName)
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return client, nil
}

// listen makes an engine listen on HOST:PORT, or on a socket whose path ends in .sock.
func listen(e *engine.Engine, address string) error {
	network := "tcp"
	if strings.HasSuffix(address, ".sock") {
		network = "unix"
	}
	_, err := e.Listen(network, address)
	return err
}

// withFreeAddress adds to the error of a listener what to do when its address is taken.
func withFreeAddress(err error) error {
	if addressTaken(err) {
		return fmt.Errorf("%w; another --listen, such as 127.0.0.1:0, may be free", err)
	}
	return err
}

// checkAddress refuses what no listener can have as an address.
func checkAddress(address string) error {
	if strings.HasSuffix(address, ".sock") {
		return nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return misusef("--listen: %v; want HOST:PORT, such as 127.0.0.1:27018", err)
	}
	return nil
}

// stopped is closed when an engine of our own no longer serves. A server's end shows in the stream.
func (s *source) stopped() <-chan struct{} {
	if s.engine == nil {
		return nil
	}
	return s.engine.Done()
}

// disconnect ends the client, which ends what still waits for the server.
func (s *source) disconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), disconnectLimit)
	defer cancel()
	_ = s.client.Disconnect(ctx) // fails when called again, and when connections that were in use had to be cut
}

// close ends the client and the engine, and returns the failure of the engine's storage.
func (s *source) close() error {
	s.disconnect()
	if s.engine == nil {
		return nil
	}
	return s.engine.Close()
}
