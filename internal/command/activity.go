package command

import (
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
)

// Activity returns the documents of $currentOp, $listLocalSessions and $listSessions. The two about sessions give the same: there is one server.
func (e *environment) Activity(of *aggregation.Activity) []bsonraw.Doc {
	s := e.op.server
	if of.Sessions {
		return s.describeSessions(of)
	}
	docs := s.inProgress(of.IdleConnections)
	if of.IdleCursors {
		docs = append(docs, s.cursors.describeIdle(e.op.conn.info.Advertised)...)
	}
	return docs
}

// describeSessions tells of sessions by their keys.
func (s *Server) describeSessions(of *aggregation.Activity) []bsonraw.Doc {
	uses := s.sessions.lastUses()
	wanted := owners(of)
	var docs []bsonraw.Doc
	for _, key := range slices.Sorted(maps.Keys(uses)) {
		if !of.AllUsers && !wanted[key[uuidSize:]] {
			continue
		}
		uid := []byte(key[uuidSize:])
		if len(uid) == 0 {
			uid = nobody[:]
		}
		doc, at := bsonraw.BeginDoc(nil)
		doc, id := bsonraw.BeginElem(doc, bsonraw.TypeDocument, "_id")
		doc = bsonraw.AppendBinary(doc, "id", bsonraw.SubtypeUUID, []byte(key[:uuidSize]))
		doc = bsonraw.EndDoc(bsonraw.AppendBinary(doc, "uid", 0, uid), id)
		doc = bsonraw.AppendDate(doc, "lastUse", uses[key].UnixMilli())
		docs = append(docs, bsonraw.EndDoc(doc, at))
	}
	return docs
}

// owners are the ends of the keys of the sessions whose users are meant; without users those of nobody, who is who asks.
func owners(of *aggregation.Activity) map[string]bool {
	if len(of.Users) == 0 {
		return map[string]bool{"": true}
	}
	ends := map[string]bool{}
	for _, u := range of.Users {
		digest := nobody
		if u != (aggregation.User{}) {
			digest = sha256.Sum256([]byte(u.Name + "@" + u.DB))
		}
		ends[sessionID{uid: digest[:]}.key()] = true
	}
	return ends
}

// describeIdle tells of the cursors that no command uses at the moment.
func (cs *cursors) describeIdle(host string) []bsonraw.Doc {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	var docs []bsonraw.Doc
	for _, id := range slices.Sorted(maps.Keys(cs.byID)) {
		if c := cs.byID[id]; c.user == nil {
			docs = append(docs, c.describe(host))
		}
	}
	return docs
}

// describe tells of a cursor that no command uses.
func (c *cursor) describe(host string) bsonraw.Doc {
	doc, at := bsonraw.BeginDoc(nil)
	doc = bsonraw.AppendString(doc, "type", "idleCursor")
	doc = bsonraw.AppendString(doc, "host", host)
	doc = bsonraw.AppendString(doc, "ns", c.ns)
	if c.session != "" {
		var lsid int
		doc, lsid = bsonraw.BeginElem(doc, bsonraw.TypeDocument, "lsid")
		doc = bsonraw.AppendBinary(doc, "id", bsonraw.SubtypeUUID, []byte(c.session[:uuidSize]))
		doc = bsonraw.EndDoc(doc, lsid)
	}
	return bsonraw.EndDoc(c.appendState(doc, c.used), at)
}

// appendState appends what there is to tell of a cursor that was used last at a time.
func (c *cursor) appendState(doc []byte, used time.Time) []byte {
	doc, at := bsonraw.BeginElem(doc, bsonraw.TypeDocument, "cursor")
	doc = bsonraw.AppendInt64(doc, "cursorId", c.id)
	doc = bsonraw.AppendDate(doc, "createdDate", c.opened.UnixMilli())
	doc = bsonraw.AppendDate(doc, "lastAccessDate", used.UnixMilli())
	doc = bsonraw.AppendInt64(doc, "nDocsReturned", c.docs.Load())
	doc = bsonraw.AppendInt64(doc, "nBatchesReturned", c.batches.Load())
	doc = bsonraw.AppendBool(doc, "noCursorTimeout", c.noIdle)
	doc = bsonraw.AppendBool(doc, "tailable", c.waits != nil)
	doc = bsonraw.AppendBool(doc, "awaitData", c.waits != nil)
	doc = bsonraw.AppendDoc(doc, "originatingCommand", c.command)
	return bsonraw.EndDoc(doc, at)
}
