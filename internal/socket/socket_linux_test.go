package socket

import (
	"io"
	"net"
	"testing"
)

// TestLargeMessagesDoNotMakeAlone has two clients take turns with messages that take several reads.
func TestLargeMessagesDoNotMakeAlone(t *testing.T) {
	t.Parallel()
	lone := &Lone{}
	type connection struct {
		served *socket
		client net.Conn
	}
	var both []connection
	for range 2 {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		client, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		both = append(both, connection{New(conn, lone).(*socket), client})
	}
	message := make([]byte, 10_000)
	for range 10 {
		for _, c := range both {
			if _, err := c.client.Write(message); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c.served, message[:4096]); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c.served, message[4096:]); err != nil {
				t.Fatal(err)
			}
			if _, err := c.served.Write(message[:1]); err != nil {
				t.Fatal(err)
			}
			if c.served.spin.worth() {
				t.Fatal("a connection spins though two take turns")
			}
		}
	}
}
