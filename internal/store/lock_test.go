package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

func TestLockIsSharedOrAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l Lock
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(l.RLock(ctx))
		must(l.RLock(ctx))
		order := make(chan string, 3)
		go func() {
			_ = l.Lock(ctx)
			order <- "alone"
			l.Unlock()
		}()
		synctest.Wait()
		go func() { // it came later, so it waits although it could share
			_ = l.RLock(ctx)
			order <- "shared"
			l.RUnlock()
		}()
		synctest.Wait()
		if len(order) != 0 {
			t.Fatalf("got the lock while it was shared: %s", <-order)
		}
		l.RUnlock()
		l.RUnlock()
		if first, second := <-order, <-order; first != "alone" || second != "shared" {
			t.Fatalf("the order was %s, %s", first, second)
		}
	})
}

func TestLockWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l Lock
		if err := l.RLock(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		alone := make(chan error)
		go func() { alone <- l.Lock(ctx) }()
		synctest.Wait()
		shared := make(chan error)
		go func() { shared <- l.RLock(t.Context()) }()
		synctest.Wait()
		cancel()
		if err := <-alone; !mongoerr.Is(err, mongoerr.Interrupted) {
			t.Fatalf("a wait that was cancelled gave %v", err)
		}
		if err := <-shared; err != nil { // who waited behind goes on
			t.Fatal(err)
		}
		expired, cancel := context.WithTimeout(t.Context(), 1)
		defer cancel()
		if err := l.Lock(expired); !mongoerr.Is(err, mongoerr.MaxTimeMSExpired) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a wait that timed out gave %v", err)
		}
		l.RUnlock()
		l.RUnlock()
		if err := l.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
