package badnet

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pipes is a network on which every address answers each message of 100 bytes with the same.
type pipes struct{ running sync.WaitGroup }

func (p *pipes) DialContext(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.running.Go(func() {
		defer far.Close()
		message := make([]byte, 100)
		for {
			if _, err := io.ReadFull(far, message); err != nil {
				return
			}
			if _, err := far.Write(message); err != nil {
				return
			}
		}
	})
	return near, nil
}

// exchange sends a message and reads the answer, as far as it comes.
func exchange(c net.Conn) (int, error) {
	message := make([]byte, 100)
	binary.LittleEndian.PutUint32(message, uint32(len(message)))
	if _, err := c.Write(message); err != nil {
		return 0, err
	}
	return io.ReadFull(c, message)
}

func TestFaultsHappen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind  string
		rates Rates
	}{
		{"refused", Rates{Refuse: 1}},
		{"cut", Rates{Cut: 1}},
		{"truncated", Rates{Truncate: 1}},
		{"lost", Rates{Lose: 1}},
		{"delayed", Rates{Delay: 1, MaxDelay: time.Millisecond}},
		{"", Rates{}},
	} {
		var kinds []string
		inner := &pipes{}
		n := New(inner, 7, test.rates, func(kind string) { kinds = append(kinds, kind) })
		c, err := n.DialContext(t.Context(), "tcp", "there")
		got := 0
		if err == nil {
			got, err = exchange(c)
			_ = c.Close()
		}
		if len(kinds) > 1 || len(kinds) == 1 && kinds[0] != test.kind || len(kinds) == 0 && test.kind != "" {
			t.Errorf("%q: %q happened", test.kind, kinds)
		}
		switch test.kind {
		case "", "delayed":
			if got != 100 || err != nil {
				t.Errorf("%q: %d bytes came, error %v", test.kind, got, err)
			}
		case "truncated":
			if got == 0 || got == 100 || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("truncated: %d bytes came, error %v", got, err)
			}
		default:
			if got != 0 || err == nil {
				t.Errorf("%q: %d bytes came, error %v", test.kind, got, err)
			}
		}
		n.Calm()
		if c, err := n.DialContext(t.Context(), "tcp", "there"); err != nil {
			t.Errorf("%q, calm: %v", test.kind, err)
		} else {
			if _, err := exchange(c); err != nil {
				t.Errorf("%q, calm: %v", test.kind, err)
			}
			_ = c.Close()
		}
		inner.running.Wait()
	}
}

func TestIsolation(t *testing.T) {
	t.Parallel()
	n := New(&pipes{}, 7, Rates{}, nil)
	dial := func() (net.Conn, error) { return n.DialContext(t.Context(), "tcp", "there") }
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	n.Isolate("there", true)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got, err := exchange(c); got != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut off silently: %d bytes, error %v", got, err)
	}
	n.Heal("there")
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadFull(c, make([]byte, 100)); err != nil {
		t.Errorf("healed: %d bytes of what was held back, error %v", got, err)
	}
	n.Isolate("there", false)
	if _, err := exchange(c); err == nil {
		t.Error("cut off: the connection goes on")
	}
	if _, err := dial(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("cut off: a new connection: %v", err)
	}
	n.Heal("there")
	if c, err = dial(); err != nil {
		t.Fatalf("healed: %v", err)
	}
	if _, err := exchange(c); err != nil {
		t.Errorf("healed: %v", err)
	}
	_ = c.Close()
}
