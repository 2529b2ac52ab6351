package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/test/internal/badnet"
	"github.com/sluicestream/sluice/test/internal/ledger"
)

// actions counts what readers did.
type actions struct{ events, opened, notOpened, impatient, resumes atomic.Int64 }

func (a *actions) add(b *actions) {
	a.events.Add(b.events.Load())
	a.opened.Add(b.opened.Load())
	a.notOpened.Add(b.notOpened.Load())
	a.impatient.Add(b.impatient.Load())
	a.resumes.Add(b.resumes.Load())
}

func (a *actions) String() string {
	return fmt.Sprintf("streams opened %d times and not opened %d times, resumed by themselves %d times, calls cut short %d",
		a.opened.Load(), a.notOpened.Load(), a.resumes.Load(), a.impatient.Load())
}

// document is what events of this test carry.
type document struct {
	N   int64  `bson:"n"`
	Pad string `bson:"pad"`
}

type stream = sluice.Stream[document]

// reader follows a scope with one stream after the other, each from where the one before was left.
type reader struct {
	name   string
	scope  scope
	client *mongo.Client
	random *rand.Rand
	start  bson.Timestamp
	token  sluice.Token // the position; zero: at start
	end    sluice.Token // of an invalidate event: good for StartAfter alone
	shown  string       // the newest position that OnToken showed, in the form that can be compared
	events []ledger.Observed
	did    actions
	broken error // found within a callback
}

// addReaders makes the readers, each with a client and a network of its own, which it returns.
func (to *torture) addReaders(t *testing.T) []*badnet.Network {
	t.Helper()
	scopes := []scope{ofA, ofDatabase, ofCluster, ofB, ofDatabase, ofDropped, ofCluster, ofDropped}
	if to.server.splits {
		scopes = append(scopes, ofLarge, ofLarge)
	}
	rates := badnet.Rates{Refuse: 0.1, Cut: 0.02, Truncate: 0.02, Lose: 0.01, Delay: 0.05, MaxDelay: 20 * time.Millisecond}
	var nets []*badnet.Network
	for i, s := range scopes {
		name := fmt.Sprintf("reader %d, %s", i, s)
		own := rates
		if s == ofLarge { // few messages, and what matters is that something happens between two fragments
			own.Cut, own.Truncate, own.Lose = 4*rates.Cut, 4*rates.Truncate, 4*rates.Lose
		}
		n := badnet.New(to.server.dialer, to.seed+uint64(i), own, to.faults.count)
		nets = append(nets, n)
		opts := options.Client().SetDialer(n).SetAppName(name).SetMonitor(to.sawFailures()).SetHeartbeatInterval(500 * time.Millisecond)
		if i%3 == 1 {
			opts.SetTimeout(time.Second) // of the client: bounds every call whose context has no deadline
		}
		to.readers = append(to.readers, &reader{name: name, scope: s, client: to.connect(t, opts), random: to.dice(name), start: to.start})
	}
	return nets
}

// follow reads until it has had the last document.
func (r *reader) follow(ctx context.Context) error {
	for {
		s, err := r.open(ctx)
		if err != nil {
			return err
		}
		err = r.consume(ctx, s)
		r.did.resumes.Add(int64(s.Health().Resumes))
		_ = s.Close()
		if errors.Is(err, errEnough) {
			r.token = s.ResumeToken()
			continue
		}
		if err == nil && r.broken != nil {
			err = r.broken
		}
		return err
	}
}

// errEnough is why a reader leaves a stream that is good.
var errEnough = errors.New("the reader has had enough of this stream")

// open opens a stream at the position, with options that come as they come. The opening is not what resumes, so it may fail.
func (r *reader) open(ctx context.Context) (*stream, error) {
	for {
		opts := r.options()
		target, pipeline := r.scope.target(r.client)
		attempt, cancel := ctx, context.CancelFunc(func() {})
		if r.random.IntN(8) == 0 {
			attempt, cancel = context.WithTimeout(ctx, time.Duration(r.random.IntN(20))*time.Millisecond)
		}
		s, err := sluice.Watch[document](attempt, target, pipeline, opts)
		cancel()
		if err == nil {
			r.did.opened.Add(1)
			return s, nil
		}
		r.did.notOpened.Add(1)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		for _, sentinel := range []error{sluice.ErrHistoryLost, sluice.ErrInvalidToken, sluice.ErrTooLarge} {
			if errors.Is(err, sentinel) {
				return nil, fmt.Errorf("open at %s: %w", r.token, err)
			}
		}
	}
}

func (r *reader) options() *sluice.Options {
	opts := &sluice.Options{
		MaxAwaitTime: time.Duration(1+r.random.IntN(100)) * time.Millisecond,
		ReadAhead:    sluice.ReadAhead{Off: r.random.IntN(3) == 0},
		Retry:        sluice.Retry{MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond},
		OnToken:      r.moved,
	}
	if r.random.IntN(2) == 0 {
		opts.BatchSize = 1 + r.random.Int32N(20)
	}
	if r.scope == ofLarge || r.random.IntN(2) == 0 {
		opts.FullDocument = sluice.UpdateLookup
	}
	if r.scope == ofLarge {
		opts.SplitLargeEvents, opts.FullDocumentBeforeChange = true, sluice.BeforeRequired
	}
	if r.scope == ofDropped {
		opts.OnInvalidate = sluice.ContinueOnInvalidate
	}
	switch {
	case r.token.IsZero():
		opts.StartAtOperationTime = r.start
	case r.token == r.end || r.random.IntN(2) == 0:
		opts.StartAfter = r.token
	default:
		opts.ResumeAfter = r.token
	}
	return opts
}

// moved is OnToken: positions never go back, whatever happens and however often streams are opened.
func (r *reader) moved(token sluice.Token) {
	at, _ := token.Raw().Lookup("_data").StringValueOK()
	if at < r.shown && r.broken == nil {
		r.broken = fmt.Errorf("the position went back from %s to %s", r.shown, at)
	}
	r.shown = at
}

// consume reads in one way after the other until the last document, or until it has had enough.
func (r *reader) consume(ctx context.Context, s *stream) error {
	for {
		if err := r.act(ctx, s); err != nil {
			return err
		}
		if n := len(r.events); n > 0 && r.events[n-1].ID == r.scope.last() {
			return nil
		}
	}
}

func (r *reader) act(ctx context.Context, s *stream) error {
	switch r.random.IntN(20) {
	case 0:
		s.SetBatchSize(r.random.Int32N(10))
	case 1:
		if r.random.IntN(4) == 0 { // it costs a cursor
			s.SetMaxAwaitTime(time.Duration(1+r.random.IntN(100)) * time.Millisecond)
		}
	case 2:
		if r.random.IntN(3) == 0 {
			return errEnough
		}
	case 3:
		if r.random.IntN(3) == 0 {
			return r.closeMeanwhile(ctx, s)
		}
	case 4, 5:
		return r.together(ctx, s)
	case 6, 7, 8:
		event, ok, err := s.TryNext(ctx)
		if !ok {
			return r.outcome(ctx, err)
		}
		return r.keep(event)
	case 9, 10, 11:
		return r.all(ctx, s, r.random.IntN(30))
	case 12, 13, 14:
		call, cancel := r.patience(ctx)
		defer cancel()
		events, err := s.NextBatch(call)
		if err != nil {
			return r.outcome(call, err)
		}
		return r.keep(events...)
	default:
		call, cancel := r.patience(ctx)
		defer cancel()
		event, err := s.Next(call)
		if err != nil {
			return r.outcome(call, err)
		}
		return r.keep(event)
	}
	return nil
}

// patience returns a context for one call, which may end early.
func (r *reader) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	d := time.Duration(r.random.IntN(30_000)) * time.Microsecond
	switch r.random.IntN(4) {
	case 0:
		return context.WithTimeout(ctx, d)
	case 1:
		ctx, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(d, cancel)
		return ctx, func() { timer.Stop(); cancel() }
	default:
		return ctx, func() {}
	}
}

// outcome judges a call that brought nothing: its context may have ended, and nothing else may have happened.
func (r *reader) outcome(call context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case call.Err() != nil && errors.Is(err, call.Err()):
		r.did.impatient.Add(1)
		return nil
	default:
		return fmt.Errorf("a stream ended: %w", err)
	}
}

// all reads so many events with All. (The last document may be among them: nothing comes after it.)
func (r *reader) all(ctx context.Context, s *stream, n int) error {
	call, cancel := r.patience(ctx)
	defer cancel()
	for event, err := range s.All(call) {
		if err != nil {
			return r.outcome(call, err)
		}
		if err := r.keep(event); err != nil {
			return err
		}
		if n--; n <= 0 || r.events[len(r.events)-1].ID == r.scope.last() {
			break
		}
	}
	return nil
}

// closeMeanwhile closes the stream while it waits for an event, which comes or does not.
func (r *reader) closeMeanwhile(ctx context.Context, s *stream) error {
	var closing sync.WaitGroup
	defer closing.Wait()
	timer := time.NewTimer(time.Duration(r.random.IntN(20_000)) * time.Microsecond)
	closing.Go(func() {
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		_ = s.Close()
	})
	for {
		event, err := s.Next(ctx)
		if errors.Is(err, sluice.ErrClosed) {
			return errEnough
		}
		if err != nil {
			return r.outcome(ctx, err)
		}
		if err := r.keep(event); err != nil {
			return err
		}
		if r.events[len(r.events)-1].ID == r.scope.last() {
			return nil
		}
	}
}

// together reads with several goroutines for a moment. Each event goes to one of them; put together they are in order again.
func (r *reader) together(ctx context.Context, s *stream) error {
	call, cancel := context.WithTimeout(ctx, time.Duration(r.random.IntN(20))*time.Millisecond)
	defer cancel()
	var mu sync.Mutex
	var got []sluice.Event[document]
	var failure error
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				event, err := s.Next(call)
				mu.Lock()
				if err != nil {
					if bad := r.outcome(call, err); bad != nil {
						failure = bad
					}
					mu.Unlock()
					return
				}
				got = append(got, event)
				mu.Unlock()
			}
		})
	}
	readers.Wait()
	if failure != nil {
		return failure
	}
	slices.SortStableFunc(got, func(a, b sluice.Event[document]) int {
		return strings.Compare(a.Token().Raw().Lookup("_data").StringValue(), b.Token().Raw().Lookup("_data").StringValue())
	})
	return r.keep(got...)
}

// keep notes events, and looks into those that were put together from fragments.
func (r *reader) keep(events ...sluice.Event[document]) error {
	for _, event := range events {
		seen, err := r.understand(event)
		if err != nil {
			return err
		}
		if err := r.whole(event); err != nil {
			return fmt.Errorf("%s of %s: %w", seen.Op, seen.ID, err)
		}
		r.events = append(r.events, seen)
		r.did.events.Add(1)
		r.token = event.Token()
	}
	return nil
}

// understand reads an event. Those of the collection as a whole get an id, too.
func (r *reader) understand(event sluice.Event[document]) (ledger.Observed, error) {
	op := event.OperationType()
	if r.scope != ofDropped || op != sluice.Drop && op != sluice.Invalidate {
		return ledger.Read(event.Raw())
	}
	if op == sluice.Invalidate {
		r.end = event.Token()
	}
	token := event.Token().Raw().Lookup("_data").StringValue()
	return ledger.Observed{Change: ledger.Change{Op: string(op), ID: fmt.Sprintf("w3/%s/all", dropped)}, Token: token}, nil
}

func (r *reader) whole(event sluice.Event[document]) error {
	if r.scope != ofLarge || event.OperationType() != sluice.Update {
		return nil
	}
	before, err := event.FullDocumentBeforeChange()
	if err != nil {
		return err
	}
	after, err := event.FullDocument()
	if err != nil {
		return err
	}
	if len(before.Pad) != largeBytes || len(after.Pad) != largeBytes {
		return fmt.Errorf("documents of %d and %d bytes, want %d", len(before.Pad), len(after.Pad), largeBytes)
	}
	return nil
}
