// Package mongods runs real mongods with the repository's script, for tests that stop, kill or misuse them and so need
// some of their own.
package mongods

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// EnvURI is the environment variable with the URI of a real MongoDB, as everywhere in the repository. Where it is set,
// mongods can be had.
const EnvURI = "SLUICE_TEST_MONGODB"

// Set is a replica set on consecutive ports of this machine.
type Set struct {
	Script string // path of test/tools/mongod.sh
	Port   int    // the first node's
	Nodes  int
}

// New returns a set on ports that are free.
func New(script string, nodes int) (*Set, error) {
	for range 100 {
		if port, free := freePorts(nodes); free {
			return &Set{Script: script, Port: port, Nodes: nodes}, nil
		}
	}
	return nil, fmt.Errorf("no %d consecutive ports are free", nodes)
}

// Ports are taken from below those that systems give away by themselves: another test's connection must not get one before the
// node listens there, or while it is down.
const firstPort, lastPort = 15000, 30000

// freePorts finds the first of so many ports that nobody listens on.
func freePorts(n int) (first int, free bool) {
	first = firstPort + rand.IntN(lastPort-firstPort-n)
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // binds at once
		if err != nil {
			return 0, false
		}
		defer l.Close()
	}
	return first, true
}

func (s *Set) run(ctx context.Context, verb string, port int) (string, error) {
	command := exec.CommandContext(ctx, s.Script, verb, strconv.Itoa(port))
	command.Env = append(os.Environ(), fmt.Sprintf("MONGOD_NODES=%d", s.Nodes))
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s %d: %w: %s", s.Script, verb, port, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// Start starts the nodes that do not run, on the files that they had, and returns the URI when there is a primary.
func (s *Set) Start(ctx context.Context) (uri string, err error) { return s.run(ctx, "start", s.Port) }

// Stop kills the nodes and deletes their files.
func (s *Set) Stop(ctx context.Context) error {
	_, err := s.run(ctx, "stop", s.Port)
	return err
}

// Signal sends a signal to the node on a port.
func (s *Set) Signal(ctx context.Context, port int, signal os.Signal) error {
	pid, err := s.run(ctx, "pid", port)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	process, err := os.FindProcess(n)
	if err != nil {
		return err
	}
	return process.Signal(signal)
}

// Kill ends the node on a port with SIGKILL and returns when it is gone.
func (s *Set) Kill(ctx context.Context, port int) error {
	return s.end(ctx, port, os.Kill)
}

// Terminate has the node on a port shut down in good order and returns when it is gone.
func (s *Set) Terminate(ctx context.Context, port int) error {
	return s.end(ctx, port, syscall.SIGTERM)
}

func (s *Set) end(ctx context.Context, port int, signal os.Signal) error {
	if err := s.Signal(ctx, port, signal); err != nil {
		return err
	}
	// It is nobody's child, so its end shows only in the script's answer.
	for {
		_, err := s.run(ctx, "pid", port)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
