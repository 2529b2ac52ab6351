package engine

import (
	"context"
	"fmt"
	"net"
)

// inProcessHost is the host of an engine that listens nowhere. The name is one that never resolves, so that a client without
// the engine as its dialer gets an error that shows why.
const inProcessHost = "sluice.invalid:27017"

// URI returns the connection string of the first listener. Before there is one it is for clients in this process:
//
//	options.Client().ApplyURI(e.URI()).SetDialer(e)
func (e *Engine) URI() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.firstURI != "" {
		return e.mu.firstURI
	}
	return e.uri(inProcessHost, "")
}

// DialContext connects to the engine within the process, whatever the address: no port is used and no listener needed. With it
// *Engine is the dialer of options.Client().SetDialer. Clients that came by an address are told that it is the engine's, so any
// connection string with the engine's replica set works. It fails when the engine is closed, or has as many clients as it may have.
func (e *Engine) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address == "" {
		address = inProcessHost
	}
	err := ctx.Err()
	if err == nil {
		client, server := newMemConns("in process", memAddr(address))
		if err = e.start(server, server.RemoteAddr().String(), address); err == nil {
			return client, nil
		}
	}
	return nil, fmt.Errorf("engine: dial %s %q in process: %w", network, address, err)
}
