// Package workload has what tests with clients that work for a while need: the clients, and the loop that they work in.
package workload

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Connect connects a client, and disconnects it when the test ends. Later options replace earlier ones.
func Connect(tb testing.TB, opts ...*options.ClientOptions) *mongo.Client {
	tb.Helper()
	client, err := mongo.Connect(opts...)
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 10*time.Second)
		defer cancel()
		if err := client.Disconnect(ctx); err != nil {
			tb.Errorf("disconnect: %v", err)
		}
	})
	return client
}

// Repeat calls step again and again, with pauses, until stop is closed. It returns the cause if ctx ends before that, or
// step's error.
func Repeat(ctx context.Context, stop <-chan struct{}, pause func() time.Duration, step func(ctx context.Context) error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		if err := step(ctx); err != nil {
			return err
		}
		timer.Reset(pause())
	}
}
