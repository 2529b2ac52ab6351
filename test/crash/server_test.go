package crash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicestream/sluice/test/internal/mongods"
)

// server is what the test kills. Its methods are called by one goroutine.
type server interface {
	// start brings it up on the files that it had before and returns its address when it accepts writes.
	start(ctx context.Context) (address string, err error)
	// kill ends it with SIGKILL and returns when it is gone.
	kill() error
	// interrupt starts it and kills it after d, whatever it is doing by then.
	interrupt(ctx context.Context, d time.Duration) error
	// exited is closed when the process that start started has ended.
	exited() <-chan struct{}
}

const startTimeout = 60 * time.Second

// sluiceServer is `sluice serve` on a folder.
type sluiceServer struct {
	binary, dir, log string
	listen           string
	process          *exec.Cmd
	done             chan struct{}
}

// newSluiceServer builds the command from the repository around this test.
func newSluiceServer(t *testing.T) server {
	t.Helper()
	dir := t.TempDir()
	s := &sluiceServer{
		binary: filepath.Join(dir, "sluice"),
		dir:    filepath.Join(dir, "data"),
		log:    filepath.Join(dir, "log"),
		listen: "127.0.0.1:0",
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.binary, "./cmd/sluice")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build sluice: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		_ = s.kill()
		if t.Failed() {
			text, _ := os.ReadFile(s.log)
			t.Logf("the server's log ends:\n%s", text[max(0, len(text)-16<<10):])
		}
	})
	return s
}

// launch starts the process and hands over its standard output.
func (s *sluiceServer) launch() (*bufio.Reader, error) {
	logFile, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	// No CommandContext: it is killed when the test says so, and by t.Cleanup.
	process := exec.Command(s.binary, "serve", "--dir", s.dir, "--listen", s.listen) //nolint:noctx // see above
	process.Stderr = logFile
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	s.process, s.done = process, make(chan struct{})
	return bufio.NewReader(out), nil
}

// reap waits for the process once its output has been read to the end.
func (s *sluiceServer) reap(out *bufio.Reader) {
	_, _ = io.Copy(io.Discard, out)
	_ = s.process.Wait()
	close(s.done)
}

func (s *sluiceServer) start(ctx context.Context) (string, error) {
	out, err := s.launch()
	if err != nil {
		return "", fmt.Errorf("start sluice: %w", err)
	}
	// A process that prints nothing is killed, which ends the reading too.
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	stop := context.AfterFunc(ctx, func() { _ = s.process.Process.Kill() })
	line, err := out.ReadString('\n')
	stop()
	cancel()
	go s.reap(out)
	if err != nil {
		<-s.done
		return "", fmt.Errorf("sluice serve printed no URI: %w", err)
	}
	address, err := hostOf(line)
	if err != nil {
		return "", err
	}
	s.listen = address // as a service's port stays the same
	return address, nil
}

func (s *sluiceServer) kill() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.done
	return nil
}

func (s *sluiceServer) interrupt(ctx context.Context, d time.Duration) error {
	out, err := s.launch()
	if err != nil {
		return fmt.Errorf("start sluice: %w", err)
	}
	go s.reap(out)
	wait(ctx, d)
	return s.kill()
}

func (s *sluiceServer) exited() <-chan struct{} { return s.done }

// mongodServer is a real mongod, run by the repository's script.
type mongodServer struct{ set *mongods.Set }

func newMongodServer(t *testing.T, script string) server {
	t.Helper()
	set, err := mongods.New(script, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop mongod: %v", err)
		}
	})
	return mongodServer{set}
}

func (m mongodServer) start(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	uri, err := m.set.Start(ctx)
	if err != nil {
		return "", err
	}
	return hostOf(uri)
}

func (m mongodServer) kill() error { return m.set.Kill(context.Background(), m.set.Port) }

// interrupt does nothing: the script returns only when the server is up.
func (m mongodServer) interrupt(context.Context, time.Duration) error { return nil }

func (m mongodServer) exited() <-chan struct{} { return nil }

// hostOf is the host and port of a connection string with one host.
func hostOf(uri string) (string, error) {
	parsed, err := url.Parse(strings.TrimSpace(uri))
	if err != nil || parsed.Scheme != "mongodb" || parsed.Host == "" {
		return "", fmt.Errorf("the server printed %q, which is no connection string", uri)
	}
	return parsed.Host, nil
}

// wait returns after d, or earlier when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// endpoint tells everybody where the server is, and makes them wait while it is down.
type endpoint struct {
	mu struct {
		sync.Mutex
		address string
		up      chan struct{} // closed while the server is up
	}
}

func newEndpoint() *endpoint {
	e := &endpoint{}
	e.mu.up = make(chan struct{})
	return e
}

func (e *endpoint) setUp(address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.address = address
	close(e.mu.up)
}

func (e *endpoint) setDown() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.up = make(chan struct{})
}

func (e *endpoint) get() (up <-chan struct{}, address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.up, e.mu.address
}

// dial connects when the server is up. It returns an error only when ctx ends.
func (e *endpoint) dial(ctx context.Context) (*conn, error) {
	for ctx.Err() == nil {
		up, _ := e.get()
		select {
		case <-up:
		case <-ctx.Done():
			continue
		}
		_, address := e.get()
		c, err := dial(ctx, address)
		if err == nil {
			return c, nil
		}
		wait(ctx, 5*time.Millisecond) // killed since
	}
	return nil, context.Cause(ctx)
}
