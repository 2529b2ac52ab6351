package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// The libraries of other languages that the client comparison runs, where Python and Node are present.
const (
	pymongoVersion = "4.18.0"
	motorVersion   = "3.7.1"
	nodeVersion    = "7.9.0"
)

// clientProgram is one library that reads a backlog: the argument list of a process that reads it once.
type clientProgram struct {
	name     string
	handlers []string // what its reader can be asked to do with an event
	command  func(r reading) []string
}

// reading is one task for a reader.
type reading struct {
	uri, start, handler string
	wait                time.Duration // for each event, in the handler that waits
}

// waitBatch is the size of batches for the handler that waits: in batches of 16 MB the whole backlog would be three.
const waitBatch = 1000

var allHandlers = []string{"empty", "struct", "map", "wait"}

// clientWorkload is one handler's rows. The first client, the Go driver, is the base; the goals are those of this project's client.
func clientWorkload(server, handler string) workload {
	about := map[string]string{
		"empty":  "does nothing",
		"struct": "decodes the document into a struct",
		"map":    "decodes the event into a map",
		"wait":   fmt.Sprintf("waits as long as the driver took to fetch the event, in batches of %d", waitBatch),
	}
	rate := map[string]goal{"empty": {advantage: 1}, "struct": {advantage: 1.3}, "wait": {advantage: 1.8}}[handler]
	if server == "embedded" {
		rate = map[string]goal{"struct": {limit: 300_000}}[handler]
	}
	return workload{
		name: "client-" + handler, about: fmt.Sprintf("%d events of a backlog, a handler that %s; from %s", backlogEvents, about[handler], server),
		rows: []row{
			{"rate", "events/s", higher, rate},
			{"peak", "MB resident at most", lower, map[bool]goal{true: {}, false: {advantage: 1}}[server == "embedded"]},
			{"allocations", "allocations/event", lower, goal{}},
		},
	}
}

// compareClients has every library read the same backlog from one server, each time in a process of its own, in turns.
func (s settings) compareClients(ctx context.Context, spec string, progress io.Writer) (*report, error) {
	programs, err := s.launcher.clients(ctx, progress)
	if err != nil {
		return nil, err
	}
	task := reading{uri: spec, start: "0,0"}
	if spec == "embedded" {
		programs = programs[:3] // the libraries that live in the engine's process
	} else {
		p, err := s.launcher.launch(ctx, spec)
		if err != nil {
			return nil, err
		}
		defer p.close(ctx)
		b := newBacklog()
		if err := b.write(ctx, p); err != nil {
			return nil, err
		}
		task.uri, task.start = p.uri, fmt.Sprintf("%d,%d", b.starts[p].T, b.starts[p].I)
	}
	result := s.newReport()
	for _, c := range programs {
		result.Peers = append(result.Peers, c.name)
	}
	for _, handler := range allHandlers {
		w := clientWorkload(spec, handler)
		samples := map[string][]sample{}
		for n := range s.rounds {
			for i := range programs {
				if n%2 == 1 {
					i = len(programs) - 1 - i
				}
				c := programs[i]
				if !slices.Contains(c.handlers, handler) {
					continue
				}
				task.handler = handler
				taken, err := readOnce(ctx, c.command(task))
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", w.name, c.name, err)
				}
				samples[c.name] = append(samples[c.name], taken)
				fmt.Fprintf(progress, "%s, round %d, %s: %s events/s\n", w.name, n+1, c.name, figure(taken["rate"]))
			}
		}
		result.add(w, samples)
		if base := float64(result.Rows[0].Median[result.Peers[0]]); handler == "empty" {
			task.wait = time.Duration(float64(time.Second) / base)
		}
	}
	return result, nil
}

// readOnce runs a reader and takes its figures, and its peak of memory from the system.
func readOnce(ctx context.Context, command []string) (sample, error) {
	process := exec.CommandContext(ctx, command[0], command[1:]...)
	var stderr bytes.Buffer
	process.Stderr = &stderr
	out, err := process.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	var read struct {
		Events      float64  `json:"events"`
		Seconds     float64  `json:"seconds"`
		Allocations *float64 `json:"mallocs_per_event"`
	}
	if err := json.Unmarshal(out, &read); err != nil {
		return nil, fmt.Errorf("a reader printed %q: %w", out, err)
	}
	s := sample{"rate": read.Events / read.Seconds}
	if read.Allocations != nil {
		s["allocations"] = *read.Allocations
	}
	if usage, ok := process.ProcessState.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		s["peak"] = float64(usage.Maxrss) * 1024 / 1e6
	}
	return s, nil
}

// clients prepares the readers: the Go ones always, the others where their language is here.
func (l launcher) clients(ctx context.Context, progress io.Writer) ([]clientProgram, error) {
	reader := filepath.Join(l.dir, "reader")
	if err := execute(ctx, ".", "go", "build", "-o", reader, "./reader"); err != nil {
		return nil, err
	}
	collection, events := databaseName+"."+backlogCollection, strconv.Itoa(backlogEvents)
	goReader := func(library string) func(r reading) []string {
		return func(r reading) []string {
			command := []string{reader, "-library", library, "-uri", r.uri, "-collection", collection, "-events", events, "-start", r.start, "-handler", r.handler}
			if r.handler == "wait" {
				command = append(command, "-wait", r.wait.String(), "-batch", strconv.Itoa(waitBatch))
			}
			return command
		}
	}
	programs := []clientProgram{
		{"go-driver", allHandlers, goReader("driver")},
		{"sluice", allHandlers, goReader("sluice")},
		{floorName, []string{"empty", "struct", "wait"}, goReader(floorName)}, // whatever the handler
	}
	if python, err := l.python(ctx); err != nil {
		fmt.Fprintln(progress, "without Python's libraries:", err)
	} else {
		for _, library := range []string{"pymongo", "pymongo-async", "motor"} {
			programs = append(programs, clientProgram{library, []string{"empty"}, func(r reading) []string {
				return []string{python, "reader/reader.py", library, r.uri, collection, events, r.start}
			}})
		}
	}
	if script, err := l.node(ctx); err != nil {
		fmt.Fprintln(progress, "without Node's library:", err)
	} else {
		programs = append(programs, clientProgram{"node", []string{"empty"}, func(r reading) []string {
			return []string{"node", script, r.uri, collection, events, r.start}
		}})
	}
	return programs, nil
}

// python makes an environment with the libraries and returns its interpreter.
func (l launcher) python(ctx context.Context) (string, error) {
	dir := filepath.Join(l.dir, "python")
	if err := execute(ctx, ".", "python3", "-m", "venv", dir); err != nil {
		return "", err
	}
	python := filepath.Join(dir, "bin", "python")
	return python, execute(ctx, ".", python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pymongo=="+pymongoVersion, "motor=="+motorVersion)
}

// node installs the library beside a copy of the reader and returns the copy.
func (l launcher) node(ctx context.Context) (string, error) {
	dir := filepath.Join(l.dir, "node")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	source, err := os.ReadFile("reader/reader.mjs")
	if err != nil {
		return "", err
	}
	script := filepath.Join(dir, "reader.mjs")
	if err := os.WriteFile(script, source, 0o600); err != nil {
		return "", err
	}
	return script, execute(ctx, dir, "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir, "mongodb@"+nodeVersion)
}

// installTimeout bounds one command that prepares a reader.
const installTimeout = 3 * time.Minute

// execute runs a command whose output matters only when it fails.
func execute(ctx context.Context, dir string, name string, arguments ...string) error {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
