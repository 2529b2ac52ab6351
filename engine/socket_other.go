//go:build !linux

package engine

import "net"

// newSocket returns the connection itself on this system.
func newSocket(conn net.Conn, _ *lone) net.Conn { return conn }
