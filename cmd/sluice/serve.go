package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluicestream/sluice/engine"
)

// serveCommand is `sluice serve`.
type serveCommand struct {
	Dir          string   `placeholder:"DIR" help:"Keep the data in this folder; default: in memory, gone at the end."`
	Listen       []string `placeholder:"HOST:PORT" default:"127.0.0.1:27017" help:"Address for clients, of the loopback interface; port 0 is a free one. A path that ends in .sock is a Unix socket. Repeatable."`
	TestCommands bool     `help:"Allow fail points, with which clients can make commands fail."`
	LogLevel     string   `placeholder:"L" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged on standard error: debug, info, warn or error."`
}

// drainLimit is how long commands that are under way have to end after a signal.
const drainLimit = 5 * time.Second

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, p *process) error {
	for _, address := range c.Listen {
		if err := checkAddress(address); err != nil {
			return err
		}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return misusef("--log-level: %v", err)
	}
	logger := newLogger(p.stderr, level)
	e, err := engine.Open(ctx, engine.Config{Dir: c.Dir, TestCommands: c.TestCommands, Logger: logger})
	if err != nil {
		return unlessStopped(ctx, err)
	}
	for _, address := range c.Listen {
		if err := listen(e, address); err != nil {
			return errors.Join(withFreeAddress(err), e.Close())
		}
	}
	if _, err := fmt.Fprintln(p.stdout, e.URI()); err != nil {
		return errors.Join(fmt.Errorf("print the URI: %w", err), e.Close())
	}
	select {
	case <-ctx.Done():
		logger.Info("stopping")
	case <-e.Done(): // Close tells why
		return e.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	err = e.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		logger.Warn("cut commands that did not end in time", "limit", drainLimit)
		err = e.Close() // closed already; without the deadline's error
	}
	return err
}
