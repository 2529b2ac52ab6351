package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/sluicestream/sluice/engine"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
	databaseName = "sluice_bench"
	floorName    = "floor" // the peer that bounds what others can reach
	// embeddedConnections is the most that a load makes: one for each stream, and the writers'.
	embeddedConnections = 20_000
)

// peer is one server under load. The client is for what is not measured.
type peer struct {
	name    string
	spec    string // how the launcher makes another one; "" for one that ran already
	uri     string
	address string // of the primary
	pid     int    // 0: unknown, so that its CPU and memory are not reported
	client  *mongo.Client
	dialer  options.ContextDialer // nil: over the network
	nextID  atomic.Int64          // of documents, over all workloads
	stop    func() error          // ends the server if the bench started it
	only    []string              // patterns of the workloads that it can take part in; nil: all

	// How to start another of its kind, in a folder within dir; nil for one that ran already.
	arguments func(dir, port string) []string
	dir       string
}

// launcher starts the peers that are named rather than given by a URI.
type launcher struct {
	dir          string // for sluice's binary and data; a folder on the filesystem of mongod's
	repository   string // the module whose cmd/sluice is built
	mongodScript string
}

// launch starts or finds the peer that spec describes: "sluice", "mongod", "embedded", "floor", "floor+TIME", or NAME=URI.
func (l launcher) launch(ctx context.Context, spec string) (*peer, error) {
	var p *peer
	var err error
	name, uri, given := strings.Cut(spec, "=")
	switch {
	case given:
		p = &peer{name: name, uri: uri, stop: func() error { return nil }}
	case spec == "sluice":
		p, err = l.sluice(ctx)
	case spec == "mongod":
		p, err = l.mongod(ctx)
	case spec == floorName || strings.HasPrefix(spec, floorName+"+"):
		p, err = l.floor(ctx, spec)
	case spec == "embedded":
		p, err = embedded(ctx)
	default:
		err = errors.New(`is neither "sluice", "mongod", "embedded" nor "floor" nor NAME=URI`)
	}
	if err != nil {
		return nil, fmt.Errorf("peer %q: %w", spec, err)
	}
	if !given {
		p.spec = spec
	}
	if err := p.connect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("peer %q: %w", spec, err), p.close(ctx))
	}
	return p, nil
}

func (l launcher) sluice(ctx context.Context) (*peer, error) {
	p, err := l.built(ctx, "sluice", l.repository, "./cmd/sluice", "serve", "--listen", "127.0.0.1:0", "--dir")
	if err != nil {
		return nil, err
	}
	p.arguments = func(dir, port string) []string {
		return []string{"serve", "--dir", dir, "--listen", "127.0.0.1:" + port}
	}
	return p, nil
}

// floor starts what does nothing of what it is asked for: what a load reaches there bounds what it can reach. "floor+3us" takes so long
// for each command.
func (l launcher) floor(ctx context.Context, spec string) (*peer, error) {
	_, work, working := strings.Cut(spec, "+")
	if !working {
		work = "0s"
	}
	p, err := l.built(ctx, floorName, ".", "./floor", "-work", work, "-dir")
	if err != nil {
		return nil, err
	}
	p.name = spec
	p.only = []string{"insert*", "find*", "inc-*", "mixed*", "transaction*", "live*"}
	return p, nil
}

// built builds a server of this repository and starts it with arguments, the last of which takes a folder for its data.
func (l launcher) built(ctx context.Context, name, module, program string, arguments ...string) (*peer, error) {
	binary := filepath.Join(l.dir, name)
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, program)
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	data, err := os.MkdirTemp(l.dir, "data")
	if err != nil {
		return nil, err
	}
	// Not bound to ctx: an interrupted bench still wants the server while its clients end.
	server := exec.Command(binary, append(arguments, data)...) //nolint:noctx // see above
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	stop := func() error {
		kill := server.Process.Kill()
		_ = server.Wait() // "signal: killed"
		return errors.Join(kill, os.RemoveAll(data))
	}
	overdue := time.AfterFunc(startTimeout, func() { _ = server.Process.Kill() })
	reader := bufio.NewReader(out)
	line, err := reader.ReadString('\n')
	overdue.Stop()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("it printed no URI: %w", err), stop())
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }() // ends with the process, which stop waits for
	return &peer{name: name, uri: strings.TrimSpace(line), pid: server.Process.Pid, stop: stop, dir: l.dir}, nil
}

// embedded opens an engine in this process, in memory. Its CPU and memory are those of the load's process, and not reported.
func embedded(ctx context.Context) (*peer, error) {
	e, err := engine.Open(ctx, engine.Config{MaxConnections: embeddedConnections})
	if err != nil {
		return nil, err
	}
	return &peer{name: "embedded", uri: e.URI(), dialer: e, stop: e.Close}, nil
}

func (l launcher) mongod(ctx context.Context) (*peer, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	script := func(ctx context.Context, verb string) (string, error) {
		command := exec.CommandContext(ctx, l.mongodScript, verb, port)
		command.Stderr = os.Stderr
		out, err := command.Output()
		if err != nil {
			return "", fmt.Errorf("%s %s: %w", l.mongodScript, verb, err)
		}
		return strings.TrimSpace(string(out)), nil
	}
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		_, err := script(ctx, "stop")
		return err
	}
	uri, err := script(ctx, "start")
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	pid, err := script(ctx, "pid")
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	p := &peer{name: "mongod", uri: uri, stop: stop, dir: l.dir, arguments: mongodArguments}
	p.pid, _ = strconv.Atoi(pid)
	return p, nil
}

// mongodArguments are those of the script, so that what is started for a measurement is like what the load runs on.
func mongodArguments(dir, port string) []string {
	return []string{
		"--dbpath", dir, "--port", port, "--bind_ip", "127.0.0.1", "--replSet", "rs0", "--setParameter", "enableTestCommands=1",
		"--setParameter", "diagnosticDataCollectionEnabled=false", "--wiredTigerCacheSizeGB", "1",
	}
}

// connect makes the client and waits until the server is a primary.
func (p *peer) connect(ctx context.Context) error {
	journaled := true
	opts := options.Client().ApplyURI(p.uri).
		SetServerSelectionTimeout(startTimeout).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled})
	if p.dialer != nil {
		opts.SetDialer(p.dialer)
	}
	if err := opts.Validate(); err != nil {
		return err
	}
	for _, host := range opts.Hosts {
		if p.dialer != nil {
			break
		}
		if name, _, err := net.SplitHostPort(host); err != nil || name != "127.0.0.1" && name != "localhost" && name != "::1" {
			return fmt.Errorf("%s is not on this machine, and a bench's load is not for others", host)
		}
	}
	var err error
	if p.client, err = mongo.Connect(opts); err != nil {
		return err
	}
	var hello struct{ Primary string }
	if err := p.client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return err
	}
	p.address = hello.Primary
	var status struct {
		PID int `bson:"pid"`
	}
	if p.pid == 0 && p.dialer == nil { // a server that tells its process id, and runs here
		err := p.client.Database("admin").RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status)
		if _, _, useErr := processUse(status.PID); err == nil && useErr == nil {
			p.pid = status.PID
		}
	}
	return p.client.Database(databaseName).Drop(ctx)
}

// takesPart reports whether the peer knows what a workload asks for.
func (p *peer) takesPart(workload string) bool {
	ok, err := matches(p.only, workload)
	return p.only == nil || ok && err == nil
}

// close disconnects and ends the server.
func (p *peer) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	var errs []error
	if p.client != nil {
		errs = append(errs, p.client.Disconnect(ctx))
	}
	return errors.Join(append(errs, p.stop())...)
}

func (p *peer) collection(name string) *mongo.Collection {
	return p.client.Database(databaseName).Collection(name)
}

// cpu is the server's CPU time so far, and false where it is unknown.
func (p *peer) cpu() (time.Duration, bool) {
	used, _, err := processUse(p.pid)
	return used, err == nil
}

// fill replaces a collection by n documents with _id from 0 to n-1.
func (p *peer) fill(ctx context.Context, name string, n int64) error {
	return p.fillWith(ctx, name, n, newDocument)
}

// fillWith is fill with documents of another making.
func (p *peer) fillWith(ctx context.Context, name string, n int64, document func(id int64) bson.Raw) error {
	collection := p.collection(name)
	if err := collection.Drop(ctx); err != nil {
		return err
	}
	return addDocuments(ctx, collection, 0, n, document)
}

// addDocuments inserts the documents from one _id to before another.
func addDocuments(ctx context.Context, collection *mongo.Collection, from, to int64, document func(id int64) bson.Raw) error {
	const batch = 1000
	for id := from; id < to; {
		documents := make([]bson.Raw, 0, batch)
		for ; id < to && len(documents) < batch; id++ {
			documents = append(documents, document(id))
		}
		if _, err := collection.InsertMany(ctx, documents); err != nil {
			return err
		}
	}
	return nil
}
