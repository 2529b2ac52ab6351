package differential

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// envURI is the environment variable with the URI of a real MongoDB, as everywhere in the repository.
const envURI = "SLUICE_TEST_MONGODB"

const startTimeout = 2 * time.Minute

// server is a server under test.
type server struct {
	name    string
	address string
}

// servers are the two, in this order everywhere: what is tested, and what it is compared with.
type servers [2]server

// launched is the engine that all tests of the process share, since each scenario has a database of its own.
var launched struct {
	once    sync.Once
	address string
	err     error
	stop    func() error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if launched.stop != nil {
		if err := launched.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop sluice:", err)
			code = max(code, 1)
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code) //nolint:forbidigo // main is where the process ends, and this is its test
}

// both returns the two servers, or skips the test if there is no mongod.
func both(t *testing.T) servers {
	t.Helper()
	uri := os.Getenv(envURI)
	if uri == "" {
		t.Skipf("nothing to compare with: set %s, for example to the output of test/tools/mongod.sh start", envURI)
	}
	mongod, err := hostOf(uri)
	if err != nil {
		t.Fatalf("%s: %v", envURI, err)
	}
	return servers{{"engine", engineAlone(t)}, {"mongod", mongod}}
}

// engineAlone returns the engine's address, for tests that need no mongod.
func engineAlone(t *testing.T) string {
	t.Helper()
	launched.once.Do(func() { launched.address, launched.stop, launched.err = launch() })
	if launched.err != nil {
		t.Fatalf("start the engine: %v", launched.err)
	}
	return launched.address
}

// launch builds and starts `sluice serve`, in memory.
func launch() (address string, stop func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "differential") // not the test's, because it outlives the first one
	if err != nil {
		return "", nil, err
	}
	binary := filepath.Join(dir, "sluice")
	remove := func() error { return os.RemoveAll(dir) }
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/sluice")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return "", remove, fmt.Errorf("build: %w\n%s", err, out)
	}
	address, end, err := serve(binary)
	return address, func() error { return errors.Join(end(), remove()) }, err
}

// serve starts `sluice serve` with more in its environment. stop is never nil.
func serve(binary string, environment ...string) (address string, stop func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	nothing := func() error { return nil }
	// No CommandContext: it is stopped when all tests have ended.
	process := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--test-commands", "--log-level", "error") //nolint:noctx // see above
	process.Stderr = os.Stderr
	process.Env = append(os.Environ(), environment...)
	out, err := process.StdoutPipe()
	if err != nil {
		return "", nothing, err
	}
	if err := process.Start(); err != nil {
		return "", nothing, err
	}
	stop = func() error {
		if err := process.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		return process.Wait()
	}
	kill := context.AfterFunc(ctx, func() { _ = process.Process.Kill() }) // one that prints nothing
	defer kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", stop, fmt.Errorf("sluice serve printed no URI: %w", err)
	}
	address, err = hostOf(line)
	return address, stop, err
}

// hostOf is the host and port of a connection string with one host.
func hostOf(uri string) (string, error) {
	parsed, err := url.Parse(strings.TrimSpace(uri))
	if err != nil || parsed.Scheme != "mongodb" || parsed.Host == "" {
		return "", fmt.Errorf("%q is no connection string with one host", uri)
	}
	return parsed.Host, nil
}
