package main

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.uber.org/goleak"

	"github.com/sluicestream/sluice/engine"
	"github.com/sluicestream/sluice/internal/testmongo"
)

// asProgram makes the test binary behave as the program, for tests of signals and pipes.
const asProgram = "SLUICE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	_ = os.Unsetenv("COLUMNS") // the width of help texts
	goleak.VerifyTestMain(m)
}

// within bounds what a test waits for.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// transcript collects what a command prints, and lets a test wait for it.
type transcript struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed by the next write
	ended   bool
}

func newTranscript() *transcript { return &transcript{changed: make(chan struct{})} }

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.text.Write(p)
	tr.notify()
	return len(p), nil
}

// end tells that nothing more comes.
func (tr *transcript) end() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.ended = true
	tr.notify()
}

func (tr *transcript) notify() {
	close(tr.changed)
	tr.changed = make(chan struct{})
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// await waits until the text is as wanted, and returns it.
func (tr *transcript) await(t testing.TB, what string, wanted func(text string) bool) string {
	t.Helper()
	ctx := within(t)
	for {
		tr.mu.Lock()
		text, changed, ended := tr.text.String(), tr.changed, tr.ended
		tr.mu.Unlock()
		if wanted(text) {
			return text
		}
		if ended {
			t.Fatalf("the command ended without %s; it printed:\n%s", what, text)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("no %s in:\n%s", what, text)
		}
	}
}

// awaitText waits for a part of the text.
func (tr *transcript) awaitText(t testing.TB, part string) string {
	t.Helper()
	return tr.await(t, part, func(text string) bool { return strings.Contains(text, part) })
}

// awaitLines waits for so many complete lines and returns all that are there.
func (tr *transcript) awaitLines(t testing.TB, n int) []string {
	t.Helper()
	text := tr.await(t, "further lines", func(text string) bool { return strings.Count(text, "\n") >= n })
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// running is a command line that runs in this process.
type running struct {
	stdout, stderr *transcript
	stop           context.CancelFunc // what SIGTERM does
	code           chan int
}

// start runs a command line. vars is its environment.
func start(t testing.TB, vars map[string]string, args ...string) *running {
	t.Helper()
	r := &running{stdout: newTranscript(), stderr: newTranscript(), code: make(chan int, 1)}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		code := run(ctx, args, strings.NewReader(""), r.stdout, r.stderr, func(name string) string { return vars[name] })
		r.code <- code
		r.stdout.end()
		r.stderr.end()
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			t.Logf("sluice %s\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), r.stdout, r.stderr)
		}
	})
	return r
}

// expectCode waits for the end and checks the exit code.
func (r *running) expectCode(t testing.TB, want int) {
	t.Helper()
	select {
	case code := <-r.code:
		if code != want {
			t.Fatalf("exit code %d, want %d; stderr:\n%s", code, want, r.stderr)
		}
	case <-within(t).Done():
		t.Fatal("the command does not end")
	}
}

// stopCleanly does what SIGTERM does.
func (r *running) stopCleanly(t testing.TB) {
	t.Helper()
	r.stop()
	r.expectCode(t, exitDone)
}

// runToEnd runs a command line that ends by itself.
func runToEnd(t testing.TB, vars map[string]string, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	out, errs := newTranscript(), newTranscript()
	code = run(within(t), args, stdin, out, errs, func(name string) string { return vars[name] })
	return code, out.String(), errs.String()
}

// target is a server with a database for one test.
type target struct {
	uri string
	db  *mongo.Database
}

// onServers runs a test on each server that there is.
func onServers(t *testing.T, test func(t *testing.T, s target)) {
	t.Helper()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		s := target{uri: server.URI, db: testmongo.Database(t, server.Client(t))}
		if e, ok := server.Dialer.(*engine.Engine); ok {
			s.uri = listening(t, e)
		}
		test(t, s)
	})
}

// listening makes an engine listen on a free port and returns its URI.
func listening(t testing.TB, e *engine.Engine) string {
	t.Helper()
	if _, err := e.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return e.URI()
}
