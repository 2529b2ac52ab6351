//go:build !linux

package socket

import "net"

// New returns the connection itself on this system.
func New(conn net.Conn, _ *Lone) net.Conn { return conn }
