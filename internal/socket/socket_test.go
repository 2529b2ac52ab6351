package socket_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluicestream/sluice/internal/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns two ends of a connection: one as servers have it, and a plain one.
func pair(t testing.TB, network string) (served, client net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/s.sock"
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = new(net.Dialer).DialContext(t.Context(), network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	served = socket.New(conn, socket.NewLone())
	t.Cleanup(func() { served.Close(); client.Close() })
	return served, client
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 / 3)
	}
	return b
}

func TestEverythingArrives(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			served, client := pair(t, network)
			for _, n := range []int{1, 100, 16 << 10, 16<<10 + 1, 3 << 20} {
				sent := pattern(n)
				for _, ends := range [][2]net.Conn{{served, client}, {client, served}} {
					wrote := make(chan error, 1)
					go func() {
						_, err := ends[0].Write(sent)
						wrote <- err
					}()
					got := make([]byte, n)
					if _, err := io.ReadFull(ends[1], got); err != nil {
						t.Fatal(err)
					}
					if err := <-wrote; err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, sent) {
						t.Errorf("%d bytes arrived as others", n)
					}
				}
			}
		})
	}
}

// TestWritesWaitForTheReader writes more in short pieces than the system keeps, before anybody reads.
func TestWritesWaitForTheReader(t *testing.T) {
	t.Parallel()
	served, client := pair(t, "tcp")
	const pieces = 4000
	piece := pattern(10_000)
	wrote := make(chan error, 1)
	go func() {
		for range pieces {
			if n, err := served.Write(piece); err != nil || n != len(piece) {
				wrote <- errors.Join(err, io.ErrShortWrite)
				return
			}
		}
		wrote <- nil
	}()
	got := make([]byte, len(piece))
	for range pieces {
		if _, err := io.ReadFull(client, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, piece) {
			t.Fatal("a piece arrived as others")
		}
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

func TestWaitsEnd(t *testing.T) {
	t.Parallel()
	read := func(c net.Conn) error {
		_, err := c.Read(make([]byte, 10))
		return err
	}
	t.Run("at the end of the stream", func(t *testing.T) {
		t.Parallel()
		served, client := pair(t, "tcp")
		client.Close()
		if err := read(served); !errors.Is(err, io.EOF) {
			t.Errorf("%v, want io.EOF", err)
		}
	})
	t.Run("at a deadline", func(t *testing.T) {
		t.Parallel()
		served, _ := pair(t, "tcp")
		if err := served.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if err := read(served); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want os.ErrDeadlineExceeded", err)
		}
	})
	t.Run("at a deadline for writing", func(t *testing.T) {
		t.Parallel()
		served, _ := pair(t, "tcp")
		if err := served.SetWriteDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := served.Write(pattern(1000)); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%v, want os.ErrDeadlineExceeded", err)
				}
				return
			}
		}
	})
	t.Run("when the connection is closed", func(t *testing.T) {
		t.Parallel()
		served, _ := pair(t, "tcp")
		ended := make(chan error, 1)
		go func() { ended <- read(served) }()
		served.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, want net.ErrClosed", err)
		}
		if _, err := served.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write to a closed connection: %v, want net.ErrClosed", err)
		}
	})
	t.Run("when the client is gone", func(t *testing.T) {
		t.Parallel()
		served, client := pair(t, "tcp")
		client.Close()
		for {
			if _, err := served.Write(pattern(1000)); err != nil {
				var system *os.SyscallError
				if !errors.As(err, &system) || system.Syscall != "write" {
					t.Errorf("%v, want an error of write", err)
				}
				return
			}
		}
	})
}

// TestAMessageCostsNoMemory asks and answers as servers do.
func TestAMessageCostsNoMemory(t *testing.T) { //nolint:paralleltest // allocations of others would count
	served, client := pair(t, "tcp")
	asked, answer := make([]byte, 100), make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = client.Write(asked)
		_, _ = io.ReadFull(served, asked)
		_, _ = served.Write(answer)
		_, _ = io.ReadFull(client, answer)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	served, client := pair(b, "tcp")
	done := make(chan struct{})
	go func() {
		defer close(done)
		message := make([]byte, 100)
		for {
			if _, err := io.ReadFull(served, message); err != nil {
				return
			}
			if _, err := served.Write(message); err != nil {
				return
			}
		}
	}()
	message := make([]byte, 100)
	for b.Loop() {
		if _, err := client.Write(message); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(client, message); err != nil {
			b.Fatal(err)
		}
	}
	client.Close()
	<-done
}

// TestMessagesOrderWhatIsDone shares a variable that only requests and replies order, which the race detector is to see.
func TestMessagesOrderWhatIsDone(t *testing.T) {
	t.Parallel()
	served, client := pair(t, "tcp")
	shared, message := 0, make([]byte, 1)
	const rounds = 10
	done := make(chan struct{})
	go func() {
		defer close(done)
		asked := make([]byte, 1)
		for range rounds {
			if _, err := io.ReadFull(served, asked); err != nil {
				return
			}
			shared++
			if _, err := served.Write(asked); err != nil {
				return
			}
		}
	}()
	for range rounds {
		shared++
		if _, err := client.Write(message); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, message); err != nil {
			t.Fatal(err)
		}
	}
	if shared != 2*rounds {
		t.Errorf("counted %d, want %d", shared, 2*rounds)
	}
	<-done
}
