package store

import (
	"context"
	"encoding/binary"
	"runtime"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Scan calls fn for the durable oplog entries from the timestamp on, in order, until fn wants no more or none is left. It
// returns the timestamp up to which everything has been passed to fn. An entry is valid only during the call. When the oplog no
// longer reaches back to from, the error has code 286, whatever memory still holds. Scan holds nothing when it returns.
func (s *Store) Scan(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (more bool, err error)) (oplog.Timestamp, error) {
	if err := s.tail.checkKept(from); err != nil {
		return from - 1, err
	}
	return scan(ctx, s, from, &s.durability.newest, fn)
}

// scan is Scan up to a limit that moves.
func scan(ctx context.Context, s *Store, from oplog.Timestamp, limit *atomic.Uint64, fn func(*oplog.Entry) (bool, error)) (oplog.Timestamp, error) {
	var buf [64]*logged
	var entries [64]*oplog.Entry
	for {
		durable := oplog.Timestamp(limit.Load())
		if durable < from { // also for who has seen more than what is shown to others yet
			return from - 1, s.failed.get()
		}
		n, covered, since := s.tail.read(from, buf[:])
		if !covered {
			end, more, err := scanStored(ctx, s, from, min(since, durable), fn)
			if err != nil || !more {
				return end, err
			}
			from = end + 1
			continue
		}
		if n == 0 {
			return durable, s.failed.get()
		}
		if err := takeApart(buf[:n], entries[:n]); err != nil {
			return from - 1, err
		}
		for _, e := range entries[:n] {
			if e.TS > durable {
				return durable, nil
			}
			more, err := fn(e)
			if err != nil || !more {
				return e.TS, err
			}
		}
		from = buf[n-1].ts + 1
		if ctx.Err() != nil {
			return from - 1, contextError(ctx)
		}
	}
}

// takeApart takes entries of the tail apart. It also touches what is going to be read of them: here the processor waits for many of them at once, and
// one by one it would wait for each, which for a filter that drops most of them is most of the time.
func takeApart(from []*logged, to []*oplog.Entry) error {
	var touched byte
	for i, l := range from {
		e, err := l.entry()
		if err != nil {
			return err
		}
		to[i] = e
		if len(e.NS) > 0 && len(e.O) > 0 {
			touched += e.NS[0] + e.O[0]
		}
	}
	runtime.KeepAlive(touched)
	return nil
}

// scanStored reads entries from Pebble: from the timestamp to the last one given, both included.
func scanStored(ctx context.Context, s *Store, from, last oplog.Timestamp, fn func(*oplog.Entry) (bool, error)) (oplog.Timestamp, bool, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: floorKey, UpperBound: timestampKey(kindOplog, last+1)})
	if err != nil {
		return 0, false, err
	}
	defer it.Close()
	if err := checkFloor(it, from); err != nil {
		return from - 1, false, err
	}
	var e oplog.Entry
	for ok := it.SeekGE(timestampKey(kindOplog, from)); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return 0, false, err
		}
		if err := e.Reset(value); err != nil {
			return 0, false, err
		}
		more, err := fn(&e)
		if err != nil || !more {
			return e.TS, false, err
		}
		if e.TS.Increment()%256 == 0 && ctx.Err() != nil {
			return e.TS, false, contextError(ctx)
		}
	}
	return last, true, it.Error()
}

// checkFloor compares from with the floor as the same iterator sees it: a trim that happens meanwhile is not seen, its
// entries are.
func checkFloor(it iterator, from oplog.Timestamp) error {
	if !it.First() || len(it.Key()) != len(floorKey) {
		return it.Error()
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	if floor := oplog.Timestamp(binary.BigEndian.Uint64(value)); from < floor {
		return historyLost(from, floor)
	}
	return nil
}

func historyLost(from, kept oplog.Timestamp) error {
	return mongoerr.New(mongoerr.ChangeStreamHistoryLost, "Resume of change stream was not possible, as the resume point may no longer be in the oplog "+
		"(resumeTimestamp: %v, oldest kept: %v)", from, kept)
}
