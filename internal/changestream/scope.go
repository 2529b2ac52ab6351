package changestream

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/oplog"
)

// Target is what a change stream is opened on, as the aggregate command names it.
type Target struct {
	DB   string
	Coll string // empty for aggregate: 1
}

// noCollection is how a cursor's namespace and messages name a target without a collection.
const noCollection = "$cmd.aggregate"

// Namespace returns the target as cursors and messages name it: "db.collection", or "db.$cmd.aggregate".
func (t Target) Namespace() string {
	if t.Coll == "" {
		return t.DB + "." + noCollection
	}
	return t.DB + "." + t.Coll
}

// scopeKind says how much a stream sees.
type scopeKind uint8

const (
	scopeCollection scopeKind = iota
	scopeDatabase
	scopeCluster
)

// scope decides which entries a stream sees.
type scope struct {
	kind   scopeKind
	db     string
	ns     string // "db.collection", of a collection's stream
	system bool   // showSystemEvents
	views  bool   // showExpandedEvents: views have events on streams of databases and of the cluster
}

func newScope(t Target) scope {
	switch {
	case t.DB == "admin" && t.Coll == "":
		return scope{kind: scopeCluster}
	case t.Coll == "":
		return scope{kind: scopeDatabase, db: t.DB}
	}
	return scope{kind: scopeCollection, db: t.DB, ns: t.Namespace()}
}

// sees reports whether documents in that namespace are seen.
func (s *scope) sees(ns []byte) bool {
	switch s.kind {
	case scopeCollection:
		return string(ns) == s.ns
	case scopeDatabase:
		n := len(s.db)
		return len(ns) > n+1 && ns[n] == '.' && string(ns[:n]) == s.db && s.visible(ns[n+1:])
	}
	db, coll := oplog.SplitNS(ns)
	return !internalDatabase(db) && s.visible(coll)
}

// seesChange reports whether what a command did is seen. A rename is, when either side is.
func (s *scope) seesChange(c *change) bool {
	if c.kind == kindDropDatabase {
		return s.kind == scopeCluster && !internalDatabase(c.db) || s.kind == scopeDatabase && string(c.db) == s.db
	}
	if c.view && (s.kind == scopeCollection || !s.views) {
		return false
	}
	if s.seesPair(c.db, c.coll) {
		return true
	}
	return c.to != nil && s.sees(c.to)
}

func (s *scope) seesPair(db, coll []byte) bool {
	if s.kind == scopeCollection {
		n := len(db)
		return len(s.ns) == n+1+len(coll) && s.ns[:n] == string(db) && s.ns[n] == '.' && s.ns[n+1:] == string(coll)
	}
	if s.kind == scopeDatabase && string(db) != s.db || s.kind == scopeCluster && internalDatabase(db) {
		return false
	}
	return s.visible(coll)
}

// visible hides the collections that MongoDB keeps for itself.
func (s *scope) visible(coll []byte) bool {
	if len(coll) == 0 || coll[0] == '$' {
		return false
	}
	if !bytes.HasPrefix(coll, systemPrefix) {
		return true
	}
	return s.system && shownSystem(coll)
}

var systemPrefix = []byte("system.")

func shownSystem(coll []byte) bool {
	rest := coll[len(systemPrefix):]
	return string(rest) == "js" || bytes.HasPrefix(rest, []byte("resharding.")) || bytes.HasPrefix(rest, []byte("buckets."))
}

func internalDatabase(db []byte) bool {
	switch string(db) {
	case "admin", "config", "local":
		return true
	}
	return false
}

// invalidatedBy reports whether what happened ends the stream.
func (s *scope) invalidatedBy(c *change) bool {
	switch s.kind {
	case scopeCollection:
		return c.kind == kindDrop || c.kind == kindRename
	case scopeDatabase:
		return c.kind == kindDropDatabase
	}
	return false
}
