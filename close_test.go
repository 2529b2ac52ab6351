package sluice_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/engine"
)

// selectionLog hears from the driver that it waits for a server.
type selectionLog chan struct{}

func (l selectionLog) Info(_ int, message string, _ ...any) {
	if strings.HasPrefix(message, "Waiting for suitable server") {
		select {
		case l <- struct{}{}:
		default:
		}
	}
}

func (selectionLog) Error(error, string, ...any) {}

// noSuchHost is a network whose name server knows nothing.
type noSuchHost struct{}

func (noSuchHost) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
}

// The URI of an engine that listens nowhere is no address: who uses it without the dialer is told so.
// contract: E8
func TestEngineWithoutItsDialer(t *testing.T) {
	t.Parallel()
	e, err := engine.Open(t.Context(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(e.URI()).SetDialer(noSuchHost{}).SetServerSelectionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sluice.Watch[bson.Raw](t.Context(), client, nil, nil); err == nil || !strings.Contains(err.Error(), "SetDialer(engine)") {
		t.Errorf("%v does not say what to do", err)
	}
	if err := client.Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// While no server can be found there is nothing to kill a cursor on: Close does not wait for one.
// contract: C5
func TestCloseWithoutServer(t *testing.T) {
	t.Parallel()
	e, err := engine.Open(t.Context(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	waits := make(selectionLog, 1)
	client, err := mongo.Connect(options.Client().ApplyURI(e.URI()).SetDialer(e).
		SetLoggerOptions(options.Logger().SetSink(waits).SetComponentLevel(options.LogComponentServerSelection, options.LogLevelInfo)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel() // nobody is there to be told about sessions that end
		_ = client.Disconnect(ended)
	}()
	stream, err := sluice.Watch[bson.Raw](t.Context(), client, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := stream.Next(t.Context())
		read <- err
	}()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-waits:
	case <-within(t).Done():
		t.Fatal("the driver did not look for another server")
	}

	begin := time.Now()
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took >= 5*time.Second { // what Close gives the server, all of which goes where none is found
		t.Errorf("Close took %s", took)
	}
	if err := <-read; !errors.Is(err, sluice.ErrClosed) {
		t.Errorf("the waiting Next returned %v", err)
	}
}
