package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// startWorkloads measure the time from the start of a server's process until it answers as a primary that takes writes.
func startWorkloads() []workload {
	by := func(name, about string, existing bool, limit float64) workload {
		return workload{
			name: name, about: about,
			rows: []row{{"p50", "ms to a writable primary", lower, goal{limit: limit}}},
			measure: func(ctx context.Context, p *peer, r round) (sample, error) {
				var latencies []time.Duration
				for begin := time.Now(); time.Since(begin) < r.duration || len(latencies) == 0; {
					took, err := p.startAnother(ctx, existing)
					if err != nil {
						return nil, err
					}
					latencies = append(latencies, took)
				}
				return sample{"p50": quantile(milliseconds(latencies), 0.5)}, nil
			},
		}
	}
	return []workload{
		by("start-empty", "start of a server on an empty folder", false, 60),
		by("start-existing", fmt.Sprintf("start of a server that was killed after it had taken %d documents", insertManyCount), true, 100),
	}
}

// startAnother starts a second server of the peer's kind on a folder of its own, tells how long it took, and ends it.
func (p *peer) startAnother(ctx context.Context, existing bool) (took time.Duration, err error) {
	if p.arguments == nil {
		return 0, fmt.Errorf("%s was not started by the bench, so that its start cannot be measured", p.name)
	}
	s := server{arguments: p.arguments}
	if s.binary, err = os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); err != nil {
		return 0, err
	}
	if s.dir, err = os.MkdirTemp(p.dir, "start"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	if took, err = s.timeStart(ctx); err == nil && existing {
		if err = s.insertMany(ctx); err == nil {
			s.kill()
			took, err = s.timeStart(ctx)
		}
	}
	s.kill()
	return took, err
}

// server is one process with a folder of its own, which is started again and again.
type server struct {
	binary    string
	arguments func(dir, port string) []string
	dir       string
	address   string
	process   *exec.Cmd
}

// pollEvery is how exactly the time of a start is known.
const pollEvery = time.Millisecond

// timeStart starts the process and waits until it says that it is a primary. A new replica set is made of a server that asks for it.
func (s *server) timeStart(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	port, err := freePort(ctx)
	if err != nil {
		return 0, err
	}
	if s.address == "" { // a replica set stays where its configuration says
		s.address = net.JoinHostPort("127.0.0.1", port)
	}
	_, port, _ = net.SplitHostPort(s.address)
	s.process = exec.CommandContext(context.WithoutCancel(ctx), s.binary, s.arguments(s.dir, port)...)
	begin := time.Now()
	if err := s.process.Start(); err != nil {
		return 0, err
	}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		reply, err := askOnce(ctx, s.address, bson.D{{Key: "hello", Value: 1}})
		if primary, ok := reply.Lookup("isWritablePrimary").BooleanOK(); err == nil && ok && primary {
			return time.Since(begin), nil
		}
		if fresh, ok := reply.Lookup("isreplicaset").BooleanOK(); err == nil && ok && fresh {
			_, _ = askOnce(ctx, s.address, bson.D{{Key: "replSetInitiate", Value: bson.D{
				{Key: "_id", Value: "rs0"},
				{Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: s.address}}}},
			}}}) // asked again until it says that it is a primary
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("%s did not become a primary: %w", s.binary, ctx.Err())
		}
	}
}

// insertMany gives the store something to recover.
func (s *server) insertMany(ctx context.Context) error {
	documents := make(bson.A, insertManyCount)
	for i := range documents {
		documents[i] = newDocument(int64(i))
	}
	reply, err := askOnce(ctx, s.address, bson.D{{Key: "insert", Value: insertCollection}, {Key: "documents", Value: documents}})
	if n, ok := reply.Lookup("n").AsInt64OK(); err == nil && (!ok || n != insertManyCount) {
		err = fmt.Errorf("fill the store: %s", reply)
	}
	return err
}

func (s *server) kill() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait() // "signal: killed"
	}
	s.process = nil
}

// askOnce sends one command to the database admin, on a connection of its own.
func askOnce(ctx context.Context, address string, command bson.D) (bson.Raw, error) {
	m, err := newMessage("admin", command, "")
	if err != nil {
		return nil, err
	}
	c, err := dial(ctx, nil, address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.ask(m)
}

// freePort is a port of the loopback interface that nobody listens on now.
func freePort(ctx context.Context) (string, error) {
	probe, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(probe.Addr().String())
	return port, errors.Join(err, probe.Close())
}
