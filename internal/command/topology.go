package command

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// topology is what clients watch by hello: the set of this one server, which does not change until the server is about to stop. A client says
// which version it knows, and hello waits for a later one.
type topology struct {
	version atomic.Int64
	ending  chan struct{} // closed when the server is about to stop
	end     sync.Once
}

func (t *topology) init() {
	t.version.Store(1)
	t.ending = make(chan struct{})
}

// Quiesce tells the clients that watch the topology that the server is about to stop: every hello under way, and every later one, ends at once
// with an error. Other commands go on.
func (s *Server) Quiesce() {
	s.topology.end.Do(func() {
		s.topology.version.Add(1)
		close(s.topology.ending)
	})
}

// quiesced returns the error of hello when the server is about to stop.
func (t *topology) quiesced() error {
	select {
	case <-t.ending:
		return mongoerr.New(mongoerr.ShutdownInProgress, "The server is in quiesce mode and will shut down")
	default:
		return nil
	}
}

// appendTopologyVersion appends the version that clients compare.
func (s *Server) appendTopologyVersion(out []byte) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, "topologyVersion")
	out = bsonraw.AppendObjectID(out, "processId", s.processID)
	out = bsonraw.AppendInt64(out, "counter", s.topology.version.Load())
	return bsonraw.EndDoc(out, at)
}

// topologyWait is what a hello waits for.
type topologyWait struct {
	known   bsonraw.Doc // the version that the client knows; nil: not given
	limit   time.Duration
	limited bool // a limit was given
}

func (w *topologyWait) parse(op *operation) error {
	if v := op.body.Lookup("topologyVersion"); !v.IsMissing() && v.Type != bsonraw.TypeNull {
		if v.Type != bsonraw.TypeDocument {
			return op.wrongType("topologyVersion", v, "object")
		}
		w.known = v.Doc()
	}
	if v := op.body.Lookup("maxAwaitTimeMS"); !v.IsMissing() && v.Type != bsonraw.TypeNull {
		var millis int64
		if err := (argument{op, "maxAwaitTimeMS", v}).count(&millis); err != nil {
			return err
		}
		w.limit, w.limited = time.Duration(min(millis, int64(maxTopologyWait/time.Millisecond)))*time.Millisecond, true
	}
	switch {
	case w.limited && w.known == nil:
		return mongoerr.New(31368, "A request with 'maxAwaitTimeMS' must include a 'topologyVersion'")
	case !w.limited && w.known != nil:
		return mongoerr.New(31368, "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'")
	case !w.limited && op.req.Exhaust:
		return mongoerr.New(51756, "An isMaster or hello request with exhaust must specify 'maxAwaitTimeMS'")
	}
	return nil
}

// maxTopologyWait bounds the wait of a hello.
const maxTopologyWait = 24 * time.Hour

// current reports whether the version that the client knows is that of now.
func (w *topologyWait) current(op *operation) (bool, error) {
	var process [12]byte
	var hasProcess, hasCounter bool
	var counter int64
	for it := w.known.Iter(); it.Next(); {
		switch v := it.Value(); string(it.Key()) {
		case "processId":
			if v.Type != bsonraw.TypeObjectID {
				return false, op.wrongType("topologyVersion.processId", v, "objectId")
			}
			process, hasProcess = [12]byte(v.Data), true
		case "counter":
			if v.Type != bsonraw.TypeInt64 {
				return false, op.wrongType("topologyVersion.counter", v, "long")
			}
			counter, hasCounter = v.Int64(), true
		default:
			return false, mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.topologyVersion.%s' is an unknown field.", op.cmd.name, it.Key())
		}
	}
	now := op.server.topology.version.Load()
	switch {
	case !hasProcess:
		return false, required(op, "topologyVersion.processId")
	case !hasCounter:
		return false, required(op, "topologyVersion.counter")
	case counter < 0:
		return false, mongoerr.New(31372, "topologyVersion must have a non-negative counter")
	case process != op.server.processID:
		return false, nil
	case counter > now:
		return false, mongoerr.New(31382, "Received a topology version with counter: %d which is greater than the server topology version counter: %d", counter, now)
	}
	return counter == now, nil
}

// await waits for another version than the one that the client knows.
func (w *topologyWait) await(op *operation) error {
	if w.known == nil {
		return nil
	}
	current, err := w.current(op)
	if err != nil || !current || w.limit == 0 {
		return err
	}
	timer := time.NewTimer(w.limit)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-op.server.topology.ending:
	case <-op.ctx.Done():
		return contextError(op.ctx)
	}
	return nil
}

// goOn keeps the request that gives the next reply: the same, but a hello waits for what follows the topology that it was told.
func (c *Conn) goOn(request, reply bsonraw.Doc) {
	told := reply.Lookup("topologyVersion")
	if told.IsMissing() {
		if c.again == nil || &c.again[0] != &request[0] {
			c.again = request.Clone()
		}
		return
	}
	out, at := bsonraw.BeginDoc(nil)
	for it := request.Iter(); it.Next(); {
		if string(it.Key()) == "topologyVersion" {
			out = bsonraw.AppendValue(out, "topologyVersion", told)
		} else {
			out = append(out, it.Elem()...)
		}
	}
	c.again = bsonraw.EndDoc(out, at)
}
