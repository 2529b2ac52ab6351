package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	socketSuffix = ".sock"
	// longestSocketPath is the least that today's systems take, with its end.
	longestSocketPath = 103
	// temporarySocket is what the path within the temporary folder adds: "/.s", up to ten digits, "/s".
	temporarySocket = 15
	// probeLimit bounds the look whether a socket that is there already is served.
	probeLimit = time.Second
)

// unixListener accepts clients on a socket that was moved to its place after it was opened.
type unixListener struct {
	net.Listener
	addr *net.UnixAddr
}

func (l *unixListener) Addr() net.Addr { return l.addr }

// listenUnix opens a socket that only this user can connect to, from its first moment on: it is made in a folder of mode 0700,
// gets its mode there and is then moved to its place.
func (e *Engine) listenUnix(path string) (*listener, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(path, socketSuffix) {
		return nil, fmt.Errorf("the name must end in %q, because drivers recognise sockets by it", socketSuffix)
	}
	dir := filepath.Dir(path)
	if len(path) > longestSocketPath || len(dir)+temporarySocket > longestSocketPath {
		return nil, fmt.Errorf("the path is too long for a socket: at most %d bytes, and %d for its folder",
			longestSocketPath, longestSocketPath-temporarySocket)
	}
	if err := e.mayReplace(path); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp(dir, ".s")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	l, made, err := openSocket(e.ctx, filepath.Join(private, "s"), path)
	if err != nil {
		return nil, err
	}
	return &listener{
		Listener:   &unixListener{Listener: l, addr: &net.UnixAddr{Name: path, Net: "unix"}},
		advertised: path,
		// Drivers compare the names of hosts in lower case, which paths need not be in: no discovery.
		uri:     e.uri(url.PathEscape(path), "directConnection=true&"),
		cleanUp: func() error { return removeIfSame(path, made) },
	}, nil
}

// openSocket opens a socket at a temporary path and moves it to its place.
func openSocket(ctx context.Context, temporary, path string) (net.Listener, fs.FileInfo, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", temporary)
	if err != nil {
		return nil, nil, err
	}
	if ul, ok := l.(*net.UnixListener); ok {
		ul.SetUnlinkOnClose(false) // it would look for the temporary path
	}
	made, err := func() (fs.FileInfo, error) {
		if err := os.Chmod(temporary, 0o600); err != nil {
			return nil, err
		}
		if err := os.Rename(temporary, path); err != nil {
			return nil, err
		}
		return os.Lstat(path)
	}()
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, made, nil
}

// mayReplace checks that nothing is at the path but, perhaps, a socket that nobody serves any more.
func (e *Engine) mayReplace(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("something else than a socket is there already")
	}
	ctx, cancel := context.WithTimeout(e.ctx, probeLimit)
	defer cancel()
	served, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("see whether the socket that is there is served: %w", err)
	}
	_ = served.Close()
	return syscall.EADDRINUSE
}

// removeIfSame removes the socket that was made, and not one that another process has put in its place since.
func removeIfSame(path string, made fs.FileInfo) error {
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !os.SameFile(now, made) {
		return nil
	}
	return os.Remove(path)
}
