//go:build !windows

package main

// Signals and closed pipes are another matter on Windows.

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// program is the command in a process of its own.
type program struct {
	cmd    *exec.Cmd
	pipe   io.ReadCloser
	stdout *bufio.Reader
	stderr *transcript
}

func startProgram(t testing.TB, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	p := &program{cmd: exec.CommandContext(ctx, os.Args[0], args...), stderr: newTranscript()}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = p.stderr
	var err error
	if p.pipe, err = p.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(p.pipe)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = p.cmd.Wait() // a second time, unless the test has failed
		if t.Failed() {
			t.Logf("%v\nstderr:\n%s", args, p.stderr)
		}
	})
	return p
}

func (p *program) line(t testing.TB) string {
	t.Helper()
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("no line: %v", err)
	}
	return line
}

func (p *program) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// expectCode waits for the end of the process.
func (p *program) expectCode(t testing.TB, want int) {
	t.Helper()
	_, _ = io.Copy(io.Discard, p.stdout)
	err := p.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("exit code %d (%v), want %d", got, p.cmd.ProcessState, want)
	}
}

func TestSignalsEndCleanly(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		for _, args := range [][]string{{"watch", "--demo"}, {"serve"}} {
			t.Run(args[0]+" "+s.String(), func(t *testing.T) {
				t.Parallel()
				p := startProgram(t, append(args, "--listen", "127.0.0.1:0", "--dir", filepath.Join(t.TempDir(), "data"))...)
				p.line(t)
				p.signal(t, s)
				p.expectCode(t, exitDone)
			})
		}
	}
}

// TestSignalEndsWatchWithoutServer stops watch while its server is gone, which must not be waited for.
func TestSignalEndsWatchWithoutServer(t *testing.T) {
	t.Parallel()
	server := startProgram(t, "serve", "--listen", "127.0.0.1:0")
	p := startProgram(t, "watch", strings.TrimSpace(server.line(t)))
	p.stderr.awaitText(t, "watching")
	server.signal(t, syscall.SIGKILL)
	server.expectCode(t, -1)
	p.signal(t, os.Interrupt)
	p.expectCode(t, exitDone)
}

func TestSignalEndsWatchBeforeItBegins(t *testing.T) {
	t.Parallel()
	p := startProgram(t, "watch", "mongodb://127.0.0.1:1/")
	// Nothing tells that the signals are caught by now, so the end may also be that of a process that does not catch them.
	p.signal(t, os.Interrupt)
	_, _ = io.Copy(io.Discard, p.stdout)
	_ = p.cmd.Wait()
	if code := p.cmd.ProcessState.ExitCode(); code != exitDone && code != -1 {
		t.Errorf("exit code %d", code)
	}
}

// TestStoppedWhileItStarts ends commands before they have opened anything: nothing is wrong with that.
func TestStoppedWhileItStarts(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, command := range []string{"watch", "serve"} {
		errs := newTranscript()
		code := run(ended, []string{command, "--listen", "127.0.0.1:0"}, strings.NewReader(""), newTranscript(), errs, func(string) string { return "" })
		if code != exitDone || errs.String() != "" {
			t.Errorf("%s: exit code %d, stderr %q", command, code, errs)
		}
	}
}

// TestSignalEndsWatchThatNobodyReads stops watch while it waits for room in its pipe.
func TestSignalEndsWatchThatNobodyReads(t *testing.T) {
	t.Parallel()
	_, uri := serving(t, "--listen", "127.0.0.1:0")
	p := startProgram(t, "watch", uri, "--json")
	p.stderr.awaitText(t, "watching")
	insert(t, connectTo(t, uri).Database("shop").Collection("orders"), append(byID(1), bson.E{Key: "text", Value: strings.Repeat("x", 1<<20)}))
	if _, err := p.stdout.ReadByte(); err != nil { // it is being written, and more than a pipe holds
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestClosedPipeEndsCleanly does what `sluice watch --demo | head -1` does.
func TestClosedPipeEndsCleanly(t *testing.T) {
	t.Parallel()
	p := startProgram(t, "watch", "--demo", "--listen", "127.0.0.1:0")
	p.line(t)
	if err := p.pipe.Close(); err != nil {
		t.Fatal(err)
	}
	p.expectCode(t, exitDone)
	if text := p.stderr.String(); strings.Contains(text, "pipe") {
		t.Errorf("head's users expect no message: %s", text)
	}
}

// BenchmarkFirstEvent measures from the start of the process to its first line.
func BenchmarkFirstEvent(b *testing.B) {
	for b.Loop() {
		p := startProgram(b, "watch", "--demo", "--listen", "127.0.0.1:0")
		p.line(b)
		p.signal(b, syscall.SIGTERM)
		p.expectCode(b, exitDone)
	}
}

// TestServeKeepsData also stops with a client that is waiting for events.
func TestServeKeepsData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for n := int64(1); n <= 2; n++ {
		r, uri := serving(t, "--dir", dir, "--listen", "127.0.0.1:0")
		orders := connectTo(t, uri).Database("shop").Collection("orders")
		insert(t, orders, byID(n))
		if got, err := orders.EstimatedDocumentCount(t.Context()); err != nil || got != n {
			t.Errorf("%d documents (%v), want %d", got, err, n)
		}
		w := startProgram(t, "watch", uri)
		w.stderr.awaitText(t, "watching")
		r.stopCleanly(t)
		w.signal(t, os.Interrupt)
		w.expectCode(t, exitDone)
		if r.stdout.String() != uri+"\n" {
			t.Errorf("more than the URI on stdout: %q", r.stdout)
		}
	}
}
