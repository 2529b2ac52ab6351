package engine

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Most of these tests run in a bubble of testing/synctest, where "waits" can be told from "has not come to it yet", and hours
// cost nothing.

func memPair(t *testing.T) (a, b *memConn) {
	t.Helper()
	a, b = newMemConns("client", "server")
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

func TestMemConnCarriesBytesBothWays(t *testing.T) {
	t.Parallel()
	a, b := memPair(t)
	want := make([]byte, 8<<20)
	for i := range want {
		want[i] = byte(rand.Uint32())
	}
	var all sync.WaitGroup
	for _, ends := range [][2]*memConn{{a, b}, {b, a}} {
		all.Go(func() {
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(1<<uint(rand.IntN(20))))
				if _, err := ends[0].Write(rest[:n]); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				rest = rest[n:]
			}
			if err := ends[0].CloseWrite(); err != nil {
				t.Errorf("close for writing: %v", err)
			}
		})
		all.Go(func() {
			got, buf := make([]byte, 0, len(want)), make([]byte, 1<<19)
			for {
				n, err := ends[1].Read(buf[:1+rand.IntN(1<<uint(rand.IntN(20)))])
				got = append(got, buf[:n]...)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Errorf("read: %v", err)
					return
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d bytes arrived, not the %d that were sent", len(got), len(want))
			}
		})
	}
	all.Wait()
}

func TestMemConnHoldsNoMoreThanItsBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := memPair(t)
		written := make(chan int, 1)
		go func() {
			n, err := a.Write(make([]byte, ringBound+100))
			if err != nil {
				t.Errorf("write: %v", err)
			}
			written <- n
		}()
		synctest.Wait()
		if b.in.bytes.count != ringBound {
			t.Fatalf("%d bytes are held, want %d", b.in.bytes.count, ringBound)
		}
		select {
		case n := <-written:
			t.Fatalf("writing more than the bound returned %d with nobody reading", n)
		default:
		}
		got, err := io.ReadFull(b, make([]byte, ringBound+100))
		if err != nil || got != ringBound+100 {
			t.Fatalf("read %d, %v", got, err)
		}
		if n := <-written; n != ringBound+100 {
			t.Errorf("write returned %d", n)
		}
		if b.in.bytes.buf != nil {
			t.Error("a connection with nothing under way holds a buffer")
		}
	})
}

func TestMemConnWritesAreNotMixed(t *testing.T) {
	t.Parallel()
	a, b := memPair(t)
	const writers, size = 8, ringBound + 1000
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			if _, err := a.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
				t.Errorf("write: %v", err)
			}
		})
	}
	got := make([]byte, size)
	for range writers {
		if _, err := io.ReadFull(b, got); err != nil {
			t.Fatalf("read: %v", err)
		}
		if n := bytes.Count(got, got[:1]); n != size {
			t.Errorf("%d of %d bytes are from one write", n, size)
		}
	}
	all.Wait()
}

func TestMemConnClosing(t *testing.T) {
	t.Parallel()
	const read, write = "read", "write"
	byteOf := []byte{1}
	for name, c := range map[string]struct {
		close func(a, b *memConn)
		op    string
		want  error
	}{
		"read after own close":              {func(a, _ *memConn) { a.Close() }, read, net.ErrClosed},
		"write after own close":             {func(a, _ *memConn) { a.Close() }, write, net.ErrClosed},
		"read after the other's close":      {func(_, b *memConn) { b.Close() }, read, io.EOF},
		"write after the other's close":     {func(_, b *memConn) { b.Close() }, write, syscall.EPIPE},
		"read after the other's half close": {func(_, b *memConn) { _ = b.CloseWrite() }, read, io.EOF},
		"write after own half close":        {func(a, _ *memConn) { _ = a.CloseWrite() }, write, syscall.EPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, waiting := range []bool{false, true} {
					a, b := memPair(t)
					if c.op == write { // so that it has to wait
						if _, err := a.Write(make([]byte, ringBound)); err != nil {
							t.Fatalf("fill: %v", err)
						}
					}
					if !waiting {
						c.close(a, b)
					}
					result := make(chan error, 1)
					go func() {
						var err error
						if c.op == read {
							_, err = a.Read(make([]byte, 1))
						} else {
							_, err = a.Write(byteOf)
						}
						result <- err
					}()
					synctest.Wait()
					if waiting {
						c.close(a, b)
					}
					if err := <-result; !errors.Is(err, c.want) {
						t.Errorf("waiting %v: %v, want %v", waiting, err, c.want)
					}
				}
			})
		})
	}
}

func TestMemConnWhatWasWrittenSurvivesTheClose(t *testing.T) {
	t.Parallel()
	a, b := memPair(t)
	if _, err := a.Write([]byte("last words")); err != nil {
		t.Fatalf("write: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := a.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second close: %v, want net.ErrClosed", err)
	}
	if got, err := io.ReadAll(b); string(got) != "last words" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if err := a.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("set a deadline after the close: %v, want net.ErrClosed", err)
	}
}

func TestMemConnHalfClosedStillReads(t *testing.T) {
	t.Parallel()
	a, b := memPair(t)
	if err := a.CloseWrite(); err != nil {
		t.Fatalf("close for writing: %v", err)
	}
	if _, err := b.Write([]byte("answer")); err != nil {
		t.Fatalf("write: %v", err)
	}
	b.Close()
	if got, err := io.ReadAll(a); string(got) != "answer" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestMemConnDeadlines(t *testing.T) {
	t.Parallel()
	fill := func(c *memConn) { _, _ = c.Write(make([]byte, ringBound)) }
	for name, c := range map[string]struct {
		prepare func(a *memConn)
		set     func(*memConn, time.Time) error
		op      func(*memConn) (int, error)
	}{
		"read":       {func(*memConn) {}, (*memConn).SetReadDeadline, func(c *memConn) (int, error) { return c.Read(make([]byte, 1)) }},
		"write":      {fill, (*memConn).SetWriteDeadline, func(c *memConn) (int, error) { return c.Write([]byte{1}) }},
		"both read":  {func(*memConn) {}, (*memConn).SetDeadline, func(c *memConn) (int, error) { return c.Read(make([]byte, 1)) }},
		"both write": {fill, (*memConn).SetDeadline, func(c *memConn) (int, error) { return c.Write([]byte{1}) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, _ := memPair(t)
				c.prepare(a)
				try := func(what string, want time.Duration) {
					t.Helper()
					start := time.Now()
					n, err := c.op(a)
					var timeout net.Error
					if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
						t.Errorf("%s: %d, %v, want a timeout", what, n, err)
					}
					if took := time.Since(start); took != want {
						t.Errorf("%s: took %v, want %v", what, took, want)
					}
				}
				set := func(in time.Duration) {
					t.Helper()
					if err := c.set(a, time.Now().Add(in)); err != nil {
						t.Fatalf("set: %v", err)
					}
				}
				set(-time.Second)
				try("past", 0)
				set(time.Hour)
				try("future", time.Hour)
				try("still past", 0)
				set(2 * time.Hour)
				try("moved on", 2*time.Hour)
				set(3 * time.Hour)
				set(time.Hour)
				try("moved back before waiting", time.Hour)
				set(3 * time.Hour)
				time.AfterFunc(time.Hour, func() { set(time.Minute) })
				try("moved back while waiting", time.Hour+time.Minute)
				set(time.Hour)
				time.AfterFunc(time.Minute, func() { set(2 * time.Hour) })
				try("moved on while waiting", 2*time.Hour+time.Minute)
				time.AfterFunc(time.Minute, func() { set(-time.Second) })
				_ = c.set(a, time.Time{})
				try("none, then a past one while waiting", time.Minute)
			})
		})
	}
}

func TestMemConnADeadlineThatIsTakenBackLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := memPair(t)
		if err := a.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatalf("set: %v", err)
		}
		time.AfterFunc(time.Millisecond, func() { _ = a.SetReadDeadline(time.Time{}) })
		time.AfterFunc(time.Hour, func() { _, _ = b.Write([]byte("late")) })
		buf := make([]byte, 10)
		if n, err := a.Read(buf); err != nil || string(buf[:n]) != "late" {
			t.Errorf("read %q, %v", buf[:n], err)
		}
	})
}

func TestMemConnAWriteCutShortSaysHowMuchWent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := memPair(t)
		if err := a.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatalf("set: %v", err)
		}
		if n, err := a.Write(make([]byte, ringBound+1)); n != ringBound || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v, want %d and a timeout", n, err, ringBound)
		}
		a.Close()
		if got, err := io.ReadAll(b); len(got) != ringBound || err != nil {
			t.Errorf("read %d, %v", len(got), err)
		}
	})
}

func TestMemConnEmptyReadsAndWritesReturnAtOnce(t *testing.T) {
	t.Parallel()
	a, _ := memPair(t)
	if n, err := a.Read(nil); n != 0 || err != nil {
		t.Errorf("read: %d, %v", n, err)
	}
	if n, err := a.Write(nil); n != 0 || err != nil {
		t.Errorf("write: %d, %v", n, err)
	}
}

func TestMemConnAllMethodsAtOnce(t *testing.T) {
	t.Parallel()
	a, b := memPair(t)
	var all sync.WaitGroup
	for _, c := range []*memConn{a, b} {
		for range 10 {
			all.Go(func() {
				buf := make([]byte, 100)
				for range 200 {
					_, _ = c.Read(buf)
				}
			})
			all.Go(func() {
				for range 200 {
					_, _ = c.Write(make([]byte, 100))
				}
			})
			all.Go(func() {
				for i := range 200 {
					_ = c.SetDeadline(time.Now().Add(time.Duration(i%5) * time.Microsecond))
					_, _ = c.LocalAddr(), c.RemoteAddr()
				}
				_ = c.SetDeadline(time.Now())
			})
		}
	}
	all.Wait()
}

func BenchmarkMemConnPingPong(b *testing.B) {
	for name, deadline := range map[string]bool{"plain": false, "deadlines": true} {
		b.Run(name, func(b *testing.B) {
			client, server := newMemConns("client", "server")
			var echo sync.WaitGroup
			echo.Go(func() { _, _ = io.Copy(server, onlyReader{server}) })
			request, reply := make([]byte, 300), make([]byte, 300)
			b.ReportAllocs()
			for b.Loop() {
				if deadline {
					_ = client.SetDeadline(time.Now().Add(10 * time.Second))
				}
				_, _ = client.Write(request)
				if _, err := io.ReadFull(client, reply); err != nil {
					b.Fatal(err)
				}
			}
			client.Close()
			echo.Wait()
			server.Close()
		})
	}
}

type onlyReader struct{ io.Reader }
