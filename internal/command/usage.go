package command

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// usages tell how much each collection was used since the server was started.
type usages struct {
	mu   sync.RWMutex
	byNS map[string]*usage
}

// usage is how much one collection was used.
type usage struct {
	reads, writes, commands latency
	scans, tailableScans    atomic.Int64 // plans that look at all documents
	byKind                  [len(topKinds)]effort
}

// effort is how often something was done and how long it took, without a histogram.
type effort struct{ ops, micros atomic.Int64 }

// latency is how often something was done and how long it took.
type latency struct {
	ops, micros atomic.Int64
	buckets     [latencyBuckets]atomic.Int64
}

// maxUsages bounds the collections that are told apart: clients may name as many as they like.
const maxUsages = 10_000

// of returns the usage of a namespace; nil where there are too many.
func (u *usages) of(db, coll []byte) *usage {
	var space [maxNamespace]byte
	ns := append(append(append(space[:0], db...), '.'), coll...)
	u.mu.RLock()
	found := u.byNS[string(ns)]
	u.mu.RUnlock()
	if found != nil {
		return found
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if found = u.byNS[string(ns)]; found != nil || len(u.byNS) >= maxUsages {
		return found
	}
	if u.byNS == nil {
		u.byNS = map[string]*usage{}
	}
	found = &usage{}
	u.byNS[string(ns)] = found
	return found
}

// forget drops what is known of a collection that is gone.
func (u *usages) forget(ns string) {
	u.mu.Lock()
	delete(u.byNS, ns)
	u.mu.Unlock()
}

// record notes a command that is about a collection.
func (u *usages) record(op *operation, took time.Duration) {
	if op.cmd == nil {
		return
	}
	it := op.body.Iter()
	it.Next()
	name := it.Value()
	if op.cmd.name == "getMore" {
		name = op.body.Lookup("collection")
	}
	if name.Type != bsonraw.TypeString {
		return
	}
	used := u.of([]byte(op.db), name.Bytes())
	if used == nil {
		return
	}
	kind := &used.byKind[topKind(op.cmd.name)]
	kind.ops.Add(1)
	kind.micros.Add(max(took.Microseconds(), 0))
	switch op.cmd.name {
	case "find", "aggregate", "count", "distinct", "getMore":
		used.reads.add(took)
	case "insert", "update", "delete", "findAndModify":
		used.writes.add(took)
	default:
		used.commands.add(took)
	}
}

// noteScan notes a plan that looks at all documents.
func noteScan(op *operation, c *store.Collection, p *plan.Plan, tailable bool) {
	if !p.ScansAll() {
		return
	}
	used := op.server.usages.of([]byte(c.DB), []byte(c.Name))
	switch {
	case used == nil:
	case tailable:
		used.tailableScans.Add(1)
	default:
		used.scans.Add(1)
	}
}

func (l *latency) add(took time.Duration) {
	micros := max(took.Microseconds(), 0)
	l.ops.Add(1)
	l.micros.Add(micros)
	l.buckets[latencyBucket(micros)].Add(1)
}

// The buckets of a histogram: powers of two, from 2048 microseconds on with one more halfway.
const (
	finerFrom      = 11
	latencyBuckets = 51
)

func latencyBucket(micros int64) int {
	if micros < 2 {
		return 0
	}
	power := bits.Len64(uint64(micros)) - 1
	if power < finerFrom {
		return power
	}
	bucket := finerFrom + 2*(power-finerFrom)
	if micros >= 3<<(power-1) {
		bucket++
	}
	return min(bucket, latencyBuckets-1)
}

// bucketStart is where a bucket begins, in microseconds.
func bucketStart(bucket int) int64 {
	switch {
	case bucket == 0:
		return 0
	case bucket < finerFrom:
		return 1 << bucket
	case (bucket-finerFrom)%2 == 0:
		return 1 << (finerFrom + (bucket-finerFrom)/2)
	}
	return 3 << (finerFrom + (bucket-finerFrom)/2 - 1)
}

// append appends the latency as $collStats shows it.
func (l *latency) append(dst []byte, name string, histogram bool) []byte {
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, name)
	if histogram {
		list := bsonraw.BeginArray(bsonraw.AppendHeader(dst, bsonraw.TypeArray, "histogram"))
		for i := range l.buckets {
			n := l.buckets[i].Load()
			if n == 0 {
				continue
			}
			bucket, begin := list.Begin(bsonraw.TypeDocument)
			bucket = bsonraw.AppendInt64(bucket, "micros", bucketStart(i))
			list.Resume(bsonraw.EndDoc(bsonraw.AppendInt64(bucket, "count", n), begin))
		}
		dst = list.End()
	}
	dst = bsonraw.AppendInt64(dst, "latency", l.micros.Load())
	dst = bsonraw.AppendInt64(dst, "ops", l.ops.Load())
	return bsonraw.EndDoc(dst, at)
}

// append appends what $collStats shows as latencyStats.
func (u *usage) append(dst []byte, histograms bool) []byte {
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, "latencyStats")
	dst = u.reads.append(dst, "reads", histograms)
	dst = u.writes.append(dst, "writes", histograms)
	dst = u.commands.append(dst, "commands", histograms)
	var none latency // commands of transactions count as what they are
	dst = none.append(dst, "transactions", histograms)
	return bsonraw.EndDoc(dst, at)
}
