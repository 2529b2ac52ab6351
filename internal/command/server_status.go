package command

import (
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// serverStatus {serverStatus: 1, <section>: 0 | 1} tells how the server does: the sections that clients read. A section given as
// 0 is left out.
func serverStatus(op *operation) error {
	now := time.Now()
	up := now.Sub(op.server.started)
	op.out = bsonraw.AppendString(op.out, "host", op.conn.info.Advertised)
	op.out = bsonraw.AppendString(op.out, "version", serverVersion)
	op.out = bsonraw.AppendString(op.out, "process", processName)
	op.out = bsonraw.AppendInt64(op.out, "pid", int64(os.Getpid()))
	op.out = bsonraw.AppendDouble(op.out, "uptime", float64(int64(up/time.Second)))
	op.out = bsonraw.AppendInt64(op.out, "uptimeMillis", up.Milliseconds())
	op.out = bsonraw.AppendInt64(op.out, "uptimeEstimate", int64(up/time.Second))
	op.out = bsonraw.AppendDate(op.out, "localTime", now.UnixMilli())
	for _, section := range statusSections {
		if v := op.body.Lookup(section.name); !v.IsMissing() && !v.Truthy() {
			continue
		}
		var at int
		op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, section.name)
		section.append(op)
		op.out = bsonraw.EndDoc(op.out, at)
	}
	return nil
}

// statusSections are the parts of the reply, in its order.
var statusSections = []struct {
	name   string
	append func(*operation)
}{
	{"asserts", appendAsserts},
	{"catalogStats", appendCatalogStats},
	{"connections", appendConnections},
	{"defaultRWConcern", func(op *operation) { op.out = appendDefaultConcerns(op.out) }},
	{"globalLock", appendGlobalLock},
	{"logicalSessionRecordCache", appendSessionCache},
	{"network", appendNetwork},
	{"opcounters", appendOpCounters},
	{"opcountersRepl", appendReplicatedCounters},
	{"repl", appendReplication},
	{"storageEngine", appendStorageEngine},
	{"transactions", appendTransactions},
	{"mem", appendMemory},
	{"metrics", appendMetrics},
}

func appendConnections(op *operation) {
	c := &op.server.counters
	op.out = bsonraw.AppendInt32(op.out, "current", int32(c.connections.Load()))
	op.out = bsonraw.AppendInt32(op.out, "totalCreated", int32(c.created.Load()))
	readers, writers, others := op.server.active()
	op.out = bsonraw.AppendInt32(op.out, "active", readers+writers+others)
}

// active counts the commands under way, by what they do with documents.
func (s *Server) active() (readers, writers, others int32) {
	s.connections.each(func(c *Conn) {
		c.running.mu.Lock()
		defer c.running.mu.Unlock()
		switch {
		case c.running.cmd == nil:
		case c.running.cmd.privilege == readData:
			readers++
		case c.running.cmd.privilege == writeData:
			writers++
		default:
			others++
		}
	})
	return readers, writers, others
}

// appendGlobalLock tells how many commands are under way. Nobody queues for a lock of everything, since there is none.
func appendGlobalLock(op *operation) {
	readers, writers, others := op.server.active()
	op.out = bsonraw.AppendInt64(op.out, "totalTime", time.Since(op.server.started).Microseconds())
	for _, group := range []struct {
		name                    string
		total, readers, writers int32
	}{{"currentQueue", 0, 0, 0}, {"activeClients", readers + writers + others, readers, writers}} {
		var at int
		op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, group.name)
		op.out = bsonraw.AppendInt32(op.out, "total", group.total)
		op.out = bsonraw.AppendInt32(op.out, "readers", group.readers)
		op.out = bsonraw.AppendInt32(op.out, "writers", group.writers)
		op.out = bsonraw.EndDoc(op.out, at)
	}
}

// appendCatalogStats counts collections and views, and apart those of the databases and names that clients do not make.
func appendCatalogStats(op *operation) {
	var collections, capped, clustered, series, views, internal, internalViews int32
	catalog := op.server.store.Catalog()
	for _, c := range catalog.Collections("") {
		switch {
		case c.Series != nil:
			series++
		case internalDatabases[c.DB] || strings.HasPrefix(c.Name, "system."):
			internal++
			continue
		case c.Cap != nil:
			capped++
		case c.Indexes[0].Clustered:
			clustered++
		}
		collections++
	}
	for _, db := range catalog.Databases() {
		if n := int32(len(catalog.ViewDefinitions(db))); internalDatabases[db] {
			internalViews += n
		} else {
			views += n
		}
	}
	for _, count := range []struct {
		name string
		n    int32
	}{
		{"collections", collections},
		{"capped", capped},
		{"clustered", clustered},
		{"timeseries", series},
		{"views", views},
		{"internalCollections", internal},
		{"internalViews", internalViews},
	} {
		op.out = bsonraw.AppendInt32(op.out, count.name, count.n)
	}
}

// internalDatabases are those that MongoDB keeps for itself.
var internalDatabases = map[string]bool{"admin": true, "config": true, "local": true}

// appendReplicatedCounters tells how much came from another member of the set: nothing.
func appendReplicatedCounters(op *operation) {
	for _, name := range []string{"insert", "query", "update", "delete", "getmore", "command"} {
		op.out = bsonraw.AppendInt64(op.out, name, 0)
	}
}

func appendTransactions(op *operation) {
	op.out = bsonraw.AppendInt64(op.out, "currentOpen", int64(op.server.transactions.len()))
}

func appendSessionCache(op *operation) {
	op.out = bsonraw.AppendInt32(op.out, "activeSessionsCount", int32(op.server.sessions.len()))
}

func appendOpCounters(op *operation) {
	c := &op.server.counters
	for _, counter := range []struct {
		name string
		n    *atomic.Int64
	}{
		{"insert", &c.insert},
		{"query", &c.query},
		{"update", &c.update},
		{"delete", &c.deleted},
		{"getmore", &c.getMore},
		{"command", &c.other},
	} {
		op.out = bsonraw.AppendInt64(op.out, counter.name, counter.n.Load())
	}
}

func appendReplication(op *operation) {
	self := op.conn.info.Advertised
	op.appendList("hosts", []bsonraw.Value{bsonraw.StringValue(self)})
	op.out = bsonraw.AppendString(op.out, "setName", op.server.cfg.ReplicaSet)
	op.out = bsonraw.AppendInt32(op.out, "setVersion", 1)
	op.out = bsonraw.AppendBool(op.out, "isWritablePrimary", true)
	op.out = bsonraw.AppendBool(op.out, "secondary", false)
	op.out = bsonraw.AppendString(op.out, "primary", self)
	op.out = bsonraw.AppendString(op.out, "me", self)
	op.out = bsonraw.AppendObjectID(op.out, "electionId", electionID(op.server.store.Term()))
	appendLastWrite(op)
}

func appendStorageEngine(op *operation) {
	op.out = bsonraw.AppendString(op.out, "name", storageEngine)
	op.out = bsonraw.AppendBool(op.out, "supportsCommittedReads", true)
	op.out = bsonraw.AppendBool(op.out, "supportsSnapshotReadConcern", true)
	op.out = bsonraw.AppendBool(op.out, "readOnly", false)
	op.out = bsonraw.AppendBool(op.out, "persistent", op.server.cfg.Store.Dir != "")
}

func appendMemory(op *operation) {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	virtual := samples[0].Value.Uint64()
	resident := virtual - samples[1].Value.Uint64()
	op.out = bsonraw.AppendInt32(op.out, "bits", strconv.IntSize)
	op.out = bsonraw.AppendInt32(op.out, "resident", int32(resident>>20))
	op.out = bsonraw.AppendInt32(op.out, "virtual", int32(virtual>>20))
	op.out = bsonraw.AppendBool(op.out, "supported", true)
}

func appendMetrics(op *operation) {
	op.out = op.server.traffic.appendCommands(op.out)
	var streams, cursor, open int
	op.out, streams = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "changeStreams")
	op.out = bsonraw.AppendInt64(op.out, "open", op.server.counters.streamsOpen.Load())
	op.out = bsonraw.EndDoc(op.out, streams)
	op.out, cursor = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "cursor")
	op.out = bsonraw.AppendInt64(op.out, "timedOut", op.server.counters.cursorsTimedOut.Load())
	op.out, open = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "open")
	op.out = bsonraw.AppendInt64(op.out, "total", int64(op.server.cursors.len()))
	op.out = bsonraw.EndDoc(op.out, open)
	op.out = bsonraw.EndDoc(op.out, cursor)
	op.out, open = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "ttl")
	op.out = bsonraw.AppendInt64(op.out, "deletedDocuments", op.server.ttl.deleted.Load())
	op.out = bsonraw.AppendInt64(op.out, "passes", op.server.ttl.passes.Load())
	op.out = bsonraw.EndDoc(op.out, open)
}
