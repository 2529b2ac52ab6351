package failover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice/test/internal/badnet"
)

// fault is something that happens to the primary.
type fault struct {
	name   string
	happen func(ctx context.Context, primary string) error // returns when it is over
}

// kinds returns all faults, in an order of their own.
func (f *failover) kinds() []fault {
	all := []fault{
		{"killed", f.killed},
		{"stepped down", f.steppedDown},
		{"restarted", f.restarted},
		{"silent for the clients while it steps down", f.silent},
		{"cut off from the streams", f.cutOff},
		{"frozen", f.frozen},
		{"left alone by secondaries that recover", f.alone},
	}
	f.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// strike lets a fault happen, waits until everybody goes on, and reports how long they stood still.
func (f *failover) strike(ctx context.Context, fault fault) (string, error) {
	// A node that has stepped down keeps the cursors. A stream whose setting is changed opens another, on the primary.
	for _, r := range f.readers {
		r.stream.SetMaxAwaitTime(time.Duration(500+f.random.IntN(500)) * time.Millisecond)
	}
	for range 3 { // one event may be on its way, and another be read ahead
		if err := f.goOn(ctx); err != nil {
			return "", err
		}
	}
	primary, err := f.primary(ctx)
	if err != nil {
		return "", err
	}
	for _, p := range f.pulses() {
		p.begin()
	}
	if err := fault.happen(ctx, primary); err != nil {
		return "", err
	}
	if err := f.goOn(ctx); err != nil {
		return "", err
	}
	var report strings.Builder
	fmt.Fprintf(&report, "the primary %s; longest time without a write:", fault.name)
	for _, w := range f.writers {
		fmt.Fprintf(&report, " %v", w.pulse.end())
	}
	report.WriteString(", without an event:")
	for _, r := range f.readers {
		fmt.Fprintf(&report, " %v", r.pulse.end())
	}
	return report.String(), nil
}

func (f *failover) pulses() []*pulse {
	var all []*pulse
	for _, w := range f.writers {
		all = append(all, &w.pulse)
	}
	for _, r := range f.readers {
		all = append(all, &r.pulse)
	}
	return all
}

// goOn waits until every writer and every reader has gone on.
func (f *failover) goOn(ctx context.Context) error {
	for _, p := range f.pulses() {
		select {
		case <-p.next():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// primary returns the address of the node that is the primary, for itself and for the client.
func (f *failover) primary(ctx context.Context) (string, error) {
	for {
		var reply struct {
			Me       string `bson:"me"`
			Writable bool   `bson:"isWritablePrimary"` // the client may be behind
		}
		attempt, cancel := context.WithTimeout(ctx, opTimeout)
		err := f.admin.Database("admin").RunCommand(attempt, bson.D{{Key: "hello", Value: 1}}).Decode(&reply)
		cancel()
		if err == nil && reply.Writable {
			return reply.Me, nil
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("find the primary: %w", context.Cause(ctx))
		}
		if err := pass(ctx, 10*time.Millisecond); err != nil {
			return "", err
		}
	}
}

func portOf(address string) (int, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

func (f *failover) killed(ctx context.Context, primary string) error {
	return f.restartedAfter(ctx, primary, f.set.Kill)
}

func (f *failover) restarted(ctx context.Context, primary string) error {
	return f.restartedAfter(ctx, primary, f.set.Terminate)
}

func (f *failover) restartedAfter(ctx context.Context, primary string, end func(context.Context, int) error) error {
	port, err := portOf(primary)
	if err != nil {
		return err
	}
	if err := end(ctx, port); err != nil {
		return err
	}
	_, err = f.set.Start(ctx)
	return err
}

// steppedDown has the primary step down. What it answers, and whether, does not matter once another one is there.
func (f *failover) steppedDown(ctx context.Context, primary string) error {
	for {
		command := bson.D{{Key: "replSetStepDown", Value: 10}, {Key: "secondaryCatchUpPeriodSecs", Value: 5}}
		attempt, cancel := context.WithTimeout(ctx, opTimeout)
		_ = f.admin.Database("admin").RunCommand(attempt, command).Err()
		cancel()
		now, err := f.primary(ctx)
		if err != nil || now != primary {
			return err
		}
	}
}

// silent lets nothing that the primary says arrive, and has another one elected meanwhile.
func (f *failover) silent(ctx context.Context, primary string) error {
	isolate(f.nets, primary, true)
	defer heal(f.nets, primary)
	if err := f.steppedDown(ctx, primary); err != nil {
		return err
	}
	return pass(ctx, 3*time.Second) // in which they have to find it
}

// cutOff keeps the streams from the primary for a while, but not the writers: it stays what it is.
func (f *failover) cutOff(ctx context.Context, primary string) error {
	nets := f.nets[:len(f.readers)]
	isolate(nets, primary, f.random.IntN(2) == 0)
	defer heal(nets, primary)
	return pass(ctx, 3*time.Second)
}

// frozen stops the primary's process, so that its connections stay open and are mute, until long after an election.
func (f *failover) frozen(ctx context.Context, primary string) error {
	port, err := portOf(primary)
	if err != nil {
		return err
	}
	if err := f.set.Signal(ctx, port, syscall.SIGSTOP); err != nil {
		return err
	}
	err = pass(ctx, 6*time.Second)
	if cont := f.set.Signal(context.WithoutCancel(ctx), port, syscall.SIGCONT); err == nil {
		err = cont
	}
	return err
}

// alone has the secondaries refuse every read for a while. They go on to confirm writes.
func (f *failover) alone(ctx context.Context, primary string) error {
	for port := f.set.Port; port < f.set.Port+f.set.Nodes; port++ {
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if address == primary {
			continue
		}
		if err := maintain(ctx, address, true); err != nil {
			return err
		}
		defer func() { _ = maintain(context.WithoutCancel(ctx), address, false) }()
	}
	return pass(ctx, 2*time.Second)
}

// maintain puts a secondary into the state in which it recovers, or out of it.
func maintain(ctx context.Context, address string, on bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + address).SetDirect(true))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Disconnect(ctx)) }()
	return client.Database("admin").RunCommand(ctx, bson.D{{Key: "replSetMaintenance", Value: on}}).Err()
}

// pass is how long something lasts.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func isolate(nets []*badnet.Network, address string, silent bool) {
	for _, n := range nets {
		n.Isolate(address, silent)
	}
}

func heal(nets []*badnet.Network, address string) {
	for _, n := range nets {
		n.Heal(address)
	}
}
