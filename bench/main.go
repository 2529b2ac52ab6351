// Command bench puts the same load on several servers in turns and prints how they compare.
//
//	go run . -peers mongod,sluice -workloads 'insert-*,live-100' -seconds 3 -rounds 3
//
// A peer is "mongod" or "sluice", which it starts and ends, "embedded", an engine in the bench's own process, "floor", which answers
// without doing anything but to sync a file and so shows what is out of reach for any server, "floor+3us", which also takes so long for
// each command, or NAME=URI, a server on this machine
// that runs already. The first is the base of all ratios, the second is judged. In every round each peer takes its turn, in an order that turns around from round to round, so that what
// disturbs the machine disturbs all alike. Documents have 300 bytes, and writes are w:majority, j:true and retryable. Client and
// servers share the machine's CPUs, so the load goes over bare connections that cost less than a driver: what is compared is servers.
// Numbers that are not ratios of one run mean little.
//
//	go run . -clients mongod,embedded -rounds 3
//
// compares client libraries instead: each reads the same backlog from one server through one change stream, in a process of its own.
// The Go driver is the base; PyMongo, Motor and the Node driver are there where Python and Node are. "floor" sends the getMores one after the
// other and looks at no event. "embedded" is the engine in the reader's own process.
//
//	go run . -growth ../docs/growth
//
// draws how costs grow with documents, oplog, streams, indexes and connections.
//
// Here is the load generator and its table; what a server does to be fast is not.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are the command line's.
type settings struct {
	peers, patterns []string
	seconds         float64
	rounds          int
	seed            uint64
	clients         []string // what client libraries read from when those are compared; nil: compare servers
	growth          string   // the folder for plots when those are wanted; "": compare servers
	json            bool
	markdown        bool
	list            bool
	launcher        launcher
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: 0 done, 1 failed, 2 wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if s.list {
		for _, w := range workloads() {
			fmt.Fprintf(stdout, "%-12s %s\n", w.name, w.about)
		}
		return 0
	}
	chosen, unused, err := choose(workloads(), s.patterns)
	if err == nil && len(unused) > 0 && s.growth == "" {
		err = fmt.Errorf("no workload matches %q; -list shows all", unused)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	if err := s.measure(ctx, chosen, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// measure makes and prints what the command line asks for.
func (s settings) measure(ctx context.Context, chosen []workload, stdout, stderr io.Writer) (err error) {
	if s.launcher.dir, err = workFolder(s.launcher.dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.launcher.dir)) }()
	fmt.Fprintf(stderr, "seed %d\n", s.seed)
	if s.growth != "" {
		return s.plot(ctx, s.growth, stderr)
	}
	if s.clients == nil {
		result, err := s.compare(ctx, chosen, stderr)
		if err != nil {
			return err
		}
		return s.print(result, stdout)
	}
	for _, server := range s.clients {
		result, err := s.compareClients(ctx, server, stderr)
		if err != nil {
			return err
		}
		if err := s.print(result, stdout); err != nil {
			return err
		}
	}
	return nil
}

func (s settings) print(result *report, stdout io.Writer) error {
	switch {
	case s.markdown:
		return result.markdown(stdout)
	case !s.json:
		return result.table(stdout)
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

func (s settings) newReport() *report {
	return &report{
		Time: time.Now().UTC(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(),
		Seed: s.seed, Seconds: s.seconds, Rounds: s.rounds,
	}
}

// parse reads the command line. What is wrong with it has been printed when it returns an error.
func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	peers := flags.String("peers", "mongod,sluice", `comma-separated: "mongod", "sluice", "embedded", "floor", "floor+TIME", NAME=URI; the first is the base of the ratios`)
	clients := flags.String("clients", "", `compare client libraries on these servers instead: comma-separated "mongod", "sluice", "embedded", NAME=URI`)
	flags.StringVar(&s.growth, "growth", "", "write plots of how costs grow into this folder instead; -workloads chooses among them")
	patterns := flags.String("workloads", "*", "comma-separated patterns of names (see -list)")
	flags.Float64Var(&s.seconds, "seconds", 3, "length of one sample")
	flags.IntVar(&s.rounds, "rounds", 3, "samples of each peer for each workload")
	flags.Uint64Var(&s.seed, "seed", rand.Uint64(), "seed of all random choices; printed")
	flags.BoolVar(&s.json, "json", false, "print JSON in place of the table")
	flags.BoolVar(&s.markdown, "markdown", false, "print a table for documents: what there are goals for")
	flags.BoolVar(&s.list, "list", false, "list the workloads")
	flags.StringVar(&s.launcher.dir, "dir", "", "folder for sluice's data (default: in the user's cache folder, where mongod's data is)")
	flags.StringVar(&s.launcher.repository, "repository", "..", "folder of the module whose cmd/sluice is built")
	flags.StringVar(&s.launcher.mongodScript, "mongod-script", "../test/tools/mongod.sh", "the script that starts and stops mongod")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.peers, s.patterns = strings.Split(*peers, ","), strings.Split(*patterns, ",")
	if *clients != "" {
		s.clients = strings.Split(*clients, ",")
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case s.rounds < 1 || !(s.seconds >= 0.1 && s.seconds <= 600):
		err = errors.New("-rounds is at least 1, -seconds from 0.1 to 600")
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
	}
	return s, err
}

// compare starts the peers, runs the workloads on them in turns, and ends them.
func (s settings) compare(ctx context.Context, chosen []workload, progress io.Writer) (result *report, err error) {
	result = s.newReport()
	var peers []*peer
	memory := map[string][]sample{}
	defer func() {
		for _, p := range peers {
			err = errors.Join(err, p.close(ctx))
		}
	}()
	for _, spec := range s.peers {
		p, err := s.launcher.launch(ctx, spec)
		if err != nil {
			return nil, err
		}
		peers = append(peers, p)
		result.Peers = append(result.Peers, p.name)
		memory[p.name] = []sample{{"idle": float64(p.residentMB())}}
	}
	for _, w := range chosen {
		able := slices.DeleteFunc(slices.Clone(peers), func(p *peer) bool { return !p.takesPart(w.name) })
		take := s.takeTurns
		if w.fresh {
			take = s.takeTurnsAfresh
		}
		samples, err := take(ctx, w, able, progress)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		result.add(w, samples)
	}
	for _, p := range peers {
		memory[p.name][0]["after"] = float64(p.residentMB())
	}
	result.add(memoryWorkload(), memory)
	return result, nil
}

// memoryWorkload is measured before and after all others.
func memoryWorkload() workload {
	return workload{
		name: "memory", about: "resident memory of the server, at first and after all workloads",
		rows: []row{{"idle", "MB before any load", lower, goal{limit: 40}}, {"after", "MB after all workloads", lower, goal{limit: 400}}},
	}
}

// workFolder makes the folder for what the bench starts.
func workFolder(parent string) (string, error) {
	if parent == "" {
		var err error
		if parent, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp(parent, "sluice-bench-")
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// takeTurns takes the samples of one workload: A B, B A, A B and so on.
func (s settings) takeTurns(ctx context.Context, w workload, peers []*peer, progress io.Writer) (map[string][]sample, error) {
	samples := map[string][]sample{}
	for _, p := range peers {
		if w.prepare == nil {
			continue
		}
		if err := w.prepare(ctx, p); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", p.name, err)
		}
	}
	for n := range s.rounds {
		for i := range peers {
			if n%2 == 1 {
				i = len(peers) - 1 - i
			}
			p := peers[i]
			taken, err := w.measure(ctx, p, round{duration: time.Duration(s.seconds * float64(time.Second)), seed: s.seed + uint64(n)})
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", p.name, n+1, err)
			}
			samples[p.name] = append(samples[p.name], taken)
			fmt.Fprintf(progress, "%s, round %d, %s: %s %s\n", w.name, n+1, p.name, figure(taken[w.rows[0].metric]), w.rows[0].unit)
		}
	}
	for _, p := range peers {
		for _, name := range w.clean {
			if err := p.collection(name).Drop(ctx); err != nil {
				return nil, fmt.Errorf("clean up %s: %w", p.name, err)
			}
		}
	}
	return samples, nil
}

// takeTurnsAfresh is takeTurns on servers that have done nothing else, where the bench can start them.
func (s settings) takeTurnsAfresh(ctx context.Context, w workload, peers []*peer, progress io.Writer) (samples map[string][]sample, err error) {
	started := make([]*peer, 0, len(peers))
	for _, p := range peers {
		if p.spec != "" {
			if p, err = s.launcher.launch(ctx, p.spec); err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, p.close(ctx)) }()
		}
		started = append(started, p)
	}
	return s.takeTurns(ctx, w, started, progress)
}

// residentMB is the server's resident memory now; not a number where it is unknown.
func (p *peer) residentMB() number {
	_, resident, err := processUse(p.pid)
	if err != nil {
		return number(math.NaN())
	}
	return number(float64(resident) / 1e6)
}
