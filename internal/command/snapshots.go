package command

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// snapshots are the moments at which reads with the read concern "snapshot" look, kept for a while so that later reads can name
// them by atClusterTime.
type snapshots struct {
	mu   sync.Mutex
	held []*heldSnapshot // by time
}

// heldSnapshot is one of them. Its fields are guarded by snapshots.mu.
type heldSnapshot struct {
	*store.Snapshot
	of   *snapshots
	uses int
	used time.Time
}

const (
	// snapshotWindow is how long a snapshot is kept after its last use, as mongod's minSnapshotHistoryWindowInSeconds.
	snapshotWindow = 5 * time.Minute
	// maxSnapshots bounds those that are kept: each keeps the storage from deleting what was there then.
	maxSnapshots = 100
)

// readSnapshot makes the operation read a snapshot: the one of atClusterTime, or a new one.
func readSnapshot(op *operation) error {
	held, err := op.server.snapshots.take(op.ctx, op.server.store, op.readConcern.atClusterTime)
	if err != nil {
		return err
	}
	op.atEnd(held.give)
	if err := op.server.store.WaitDurable(op.ctx, held.At); err != nil {
		return err
	}
	op.snapshot, op.view = held, held
	return nil
}

// wantsSnapshot reports whether the read concern, of the command or of its transaction, is "snapshot".
func wantsSnapshot(op *operation) bool {
	if op.transaction != nil {
		return op.transaction.exact
	}
	return op.readConcern.level == "snapshot"
}

// checkSnapshotOf refuses to read a capped collection with the read concern "snapshot", as MongoDB does: before anything that is wrong
// with what is asked of the collection.
func checkSnapshotOf(op *operation, coll string) error {
	if !wantsSnapshot(op) {
		return nil
	}
	return refuseSnapshotOf(op.view.Catalog().Collection(op.db, coll))
}

// refuseSnapshotOf is checkSnapshotOf where it is known that a snapshot is wanted; the collection may be nil.
func refuseSnapshotOf(c *store.Collection) error {
	if c == nil || c.Cap == nil {
		return nil
	}
	return mongoerr.New(mongoerr.SnapshotUnavailable, "Reading from capped collections with readConcern snapshot is not supported")
}

// take returns a snapshot, to be given back: that of a time, or for 0 one of now.
func (s *snapshots) take(ctx context.Context, st *store.Store, at oplog.Timestamp) (*heldSnapshot, error) {
	if at == 0 || at == st.Applied() {
		return s.now(st)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range slices.Backward(s.held) {
		if h.At > at {
			continue
		}
		same, err := unchanged(ctx, st, h.At, at)
		if err != nil {
			return nil, err
		}
		if same {
			h.uses++
			return h, nil
		}
		break
	}
	return nil, errSnapshotGone(at)
}

// unchanged reports whether nothing was committed after one time and up to another.
func unchanged(ctx context.Context, st *store.Store, after, upTo oplog.Timestamp) (same bool, err error) {
	same = true
	if after == upTo {
		return same, nil
	}
	if err := st.WaitDurable(ctx, upTo); err != nil {
		return false, err
	}
	_, err = st.Scan(ctx, after+1, func(e *oplog.Entry) (bool, error) {
		same = e.TS > upTo
		return false, nil
	})
	if mongoerr.Is(err, mongoerr.ChangeStreamHistoryLost) {
		return false, nil // nobody can tell any more
	}
	return same, err
}

// now returns the newest snapshot if it is of now, and a new one otherwise.
func (s *snapshots) now(st *store.Store) (*heldSnapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.held); n > 0 && s.held[n-1].At == st.Applied() {
		s.held[n-1].uses++
		return s.held[n-1], nil
	}
	if len(s.held) >= maxSnapshots && !s.dropOldest() {
		return nil, mongoerr.New(mongoerr.OperationFailed, "too many reads of different snapshots are open: the limit is %d; close some cursors", maxSnapshots)
	}
	h := &heldSnapshot{Snapshot: st.Snapshot(), of: s, uses: 1}
	s.held = append(s.held, h)
	return h, nil
}

// dropOldest closes the oldest snapshot that nobody uses.
func (s *snapshots) dropOldest() bool {
	i := slices.IndexFunc(s.held, func(h *heldSnapshot) bool { return h.uses == 0 })
	if i < 0 {
		return false
	}
	s.held[i].Close()
	s.held = slices.Delete(s.held, i, i+1)
	return true
}

// share adds a user of the snapshot.
func (h *heldSnapshot) share() *heldSnapshot {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	h.uses++
	return h
}

// give ends one use of a snapshot.
func (h *heldSnapshot) give() {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	h.uses--
	h.used = time.Now()
}

// expire closes the snapshots that nobody used for long.
func (s *snapshots) expire(now time.Time) {
	s.closeWhere(func(h *heldSnapshot) bool { return h.uses == 0 && now.Sub(h.used) > snapshotWindow })
}

func (s *snapshots) closeAll() { s.closeWhere(func(*heldSnapshot) bool { return true }) }

func (s *snapshots) closeWhere(which func(*heldSnapshot) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = slices.DeleteFunc(s.held, func(h *heldSnapshot) bool {
		if !which(h) {
			return false
		}
		h.Close()
		return true
	})
}
