package engine

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestListenRefusesWhatIsNotLoopback(t *testing.T) {
	t.Parallel()
	e, _ := start(t, newScripted(nil), Config{})
	for _, c := range []struct{ network, address, want string }{
		{"tcp", ":0", "only loopback"},
		{"tcp", "0.0.0.0:0", "only loopback"},
		{"tcp", "[::]:0", "only loopback"},
		{"tcp4", "192.0.2.1:0", "only loopback"},
		{"tcp", "[::ffff:192.0.2.1]:0", "only loopback"},
		{"tcp", "127.0.0.1", "missing port"},
		{"udp", "127.0.0.1:0", "unknown network"},
		{"unix", "/tmp/sluice", `must end in ".sock"`},
		{"unix", "/" + strings.Repeat("x", 200) + ".sock", "too long"},
		{"unix", filepath.Join(t.TempDir(), "missing", "a.sock"), "no such file"},
	} {
		addr, err := e.Listen(c.network, c.address)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("listen on %s %s: %v, %v, want an error with %q", c.network, c.address, addr, err, c.want)
		}
	}
	if got := e.URI(); !strings.Contains(got, "sluice.invalid") {
		t.Errorf("URI after refusals: %s", got)
	}
}

func TestURIIsThatOfTheFirstListener(t *testing.T) {
	t.Parallel()
	e, _ := start(t, newScripted(nil), Config{ReplicaSet: "my_set"})
	if got, want := e.URI(), "mongodb://sluice.invalid:27017/?replicaSet=my_set"; got != want {
		t.Errorf("without a listener: %s, want %s", got, want)
	}
	first, err := e.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	if _, err := e.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatalf("listen again: %v", err)
	}
	if got, want := e.URI(), "mongodb://"+first.String()+"/?replicaSet=my_set"; got != want {
		t.Errorf("with listeners: %s, want %s", got, want)
	}
	if _, err := e.Listen("tcp", first.String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listen where one listens: %v, want EADDRINUSE", err)
	}
}

// socketPath returns the path of a socket in a folder of the test's, short enough for any system.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sl") //nolint:usetesting // t.TempDir names the test, which is too long for a socket
	if err != nil {
		t.Fatalf("make a folder: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "S.sock")
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	e, _ := start(t, newScripted(nil), Config{})
	addr, err := e.Listen("unix", path)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	if addr.Network() != "unix" || addr.String() != path {
		t.Errorf("address: %s %s", addr.Network(), addr)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, mode %v, want 0600", err, info.Mode())
	}
	c, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
	ping(t, opened(t, c, err))
	if _, err := e.Listen("unix", path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listen where one listens: %v, want EADDRINUSE", err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 0 {
		t.Errorf("after close the folder holds %v, %v", left, err)
	}
}

func TestUnixSocketTakesThePlaceOfAStaleOneOnly(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	stale, isUnix := l.(*net.UnixListener)
	if !isUnix {
		t.Fatalf("a unix listener is a %T", l)
	}
	stale.SetUnlinkOnClose(false)
	l.Close()
	e, _ := start(t, newScripted(nil), Config{})
	if _, err := e.Listen("unix", path); err != nil {
		t.Fatalf("listen in a stale socket's place: %v", err)
	}
	c, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
	ping(t, opened(t, c, err))

	file := filepath.Join(filepath.Dir(path), "file.sock")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Listen("unix", file); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("listen in a file's place: %v", err)
	}

	// Another process has put its own socket there: it stays.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("what another put there is gone: %v", err)
	}
}

// TestTheDriverConnects holds the promise of URI: the driver finds the primary by what hello says of the way it came.
func TestTheDriverConnects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		listen func(t *testing.T, e *Engine)
		dialer bool
	}{
		"in process": {func(*testing.T, *Engine) {}, true},
		"tcp": {func(t *testing.T, e *Engine) {
			t.Helper()
			if _, err := e.Listen("tcp", "127.0.0.1:0"); err != nil {
				t.Fatalf("listen: %v", err)
			}
		}, false},
		"in process beside a listener": {func(t *testing.T, e *Engine) {
			t.Helper()
			if _, err := e.Listen("tcp", "127.0.0.1:0"); err != nil {
				t.Fatalf("listen: %v", err)
			}
		}, true},
		"unix": {func(t *testing.T, e *Engine) {
			t.Helper()
			if _, err := e.Listen("unix", socketPath(t)); err != nil {
				t.Fatalf("listen: %v", err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, log := start(t, newScripted(nil), Config{})
			c.listen(t, e)
			opts := options.Client().ApplyURI(e.URI())
			if c.dialer {
				opts.SetDialer(e)
			}
			client, err := mongo.Connect(opts)
			if err != nil {
				t.Fatalf("connect: %v", err)
			}
			defer func() {
				if err := client.Disconnect(context.Background()); err != nil {
					t.Errorf("disconnect: %v", err)
				}
			}()
			if err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "ping", Value: 1}}).Err(); err != nil {
				t.Errorf("ping: %v", err)
			}
			if lines := log.lines(); len(lines) != 0 {
				t.Errorf("logged %q", lines)
			}
		})
	}
}
