package main

import (
	"context"
	"io"
	"time"
)

// output is where events are printed to. A write to a pipe that nobody reads from would wait for ever, and no signal would
// end it: once ctx has ended, a write that is not taken within closeLimit is given up.
type output struct {
	ctx context.Context
	to  io.Writer
}

// Write writes p, or returns errReaderStuck; p then belongs to the write that still waits.
func (o *output) Write(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	written := make(chan result, 1)
	go func() {
		n, err := o.to.Write(p)
		written <- result{n, err}
	}()
	select {
	case r := <-written:
		return r.n, r.err
	case <-o.ctx.Done():
	}
	timer := time.NewTimer(closeLimit)
	defer timer.Stop()
	select {
	case r := <-written:
		return r.n, r.err
	case <-timer.C:
		return 0, errReaderStuck
	}
}
