package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// serving starts `sluice serve` and returns its URI.
func serving(t testing.TB, args ...string) (*running, string) {
	t.Helper()
	r := start(t, nil, append([]string{"serve"}, args...)...)
	return r, r.stdout.awaitLines(t, 1)[0]
}

func connectTo(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(t.Context()) })
	return client
}

func TestServeListensAtSeveralAddresses(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(shortFolder(t), "s.sock")
	r, uri := serving(t, "--listen", "127.0.0.1:0", "--listen", socket)
	if !strings.HasPrefix(uri, "mongodb://127.0.0.1:") {
		t.Errorf("the URI is not the first listener's: %s", uri)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode()&os.ModeSocket == 0 {
		t.Errorf("no socket: %v", err)
	}
	r.stopCleanly(t)
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is left")
	}
}

// shortFolder is a folder whose path leaves room for a socket's name, whose path is limited to about 100 bytes.
func shortFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice") //nolint:usetesting // t.TempDir has the test's name in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestServeTestCommands(t *testing.T) {
	t.Parallel()
	off := bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: "off"}}
	for _, args := range [][]string{{}, {"--test-commands"}} {
		r, uri := serving(t, append(args, "--listen=127.0.0.1:0", "--log-level=debug")...)
		err := connectTo(t, uri).Database("admin").RunCommand(t.Context(), off).Err()
		if allowed := len(args) > 0; (err == nil) != allowed {
			t.Errorf("%v: fail points: %v", args, err)
		}
		r.stopCleanly(t)
	}
}

func TestServeLogsAtItsLevel(t *testing.T) {
	t.Parallel()
	for level, logged := range map[string]bool{"info": true, "error": false} {
		r, _ := serving(t, "--listen", "127.0.0.1:0", "--log-level", level)
		r.stopCleanly(t)
		if got := strings.Contains(r.stderr.String(), "level=INFO"); got != logged {
			t.Errorf("--log-level %s: %s", level, r.stderr)
		}
	}
}

func TestServeFailsClearly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, uri := serving(t, "--dir", dir, "--listen", "127.0.0.1:0")
	taken := strings.TrimPrefix(strings.Split(uri, "/?")[0], "mongodb://")
	cases := []struct {
		name string
		args []string
		want []string
	}{
		{"folder in use", []string{"--dir", dir, "--listen", "127.0.0.1:0"}, []string{dir, "has it open"}},
		{"port in use", []string{"--listen", taken}, []string{taken, "127.0.0.1:0, may be free"}},
		{"not loopback", []string{"--listen", "0.0.0.0:0"}, []string{"only loopback"}},
	}
	for _, c := range cases {
		code, stdout, stderr := runToEnd(t, nil, strings.NewReader(""), append([]string{"serve", "--log-level=error"}, c.args...)...)
		if code != exitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", c.name, code, stdout, stderr)
		}
		for _, part := range c.want {
			if !strings.Contains(stderr, part) {
				t.Errorf("%s: no %q in %q", c.name, part, stderr)
			}
		}
	}
	r.stopCleanly(t)
}

func TestServeFailsWhenNobodyCanLearnItsURI(t *testing.T) {
	t.Parallel()
	errs := newTranscript()
	code := run(within(t), []string{"serve", "--listen", "127.0.0.1:0"}, strings.NewReader(""), failingWriter{os.ErrClosed}, errs,
		func(string) string { return "" })
	if code != exitFailed || !strings.Contains(errs.String(), "print the URI") {
		t.Errorf("exit code %d, stderr %q", code, errs)
	}
}
