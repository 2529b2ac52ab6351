package changestream

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Classes are the classes of the streams that are open. The zero value has none.
type Classes struct {
	mu    sync.Mutex
	byKey map[string]*class
}

// class is all open streams that make the same of the oplog: equal scopes, options and stages. Those that stand at the same place, as
// those do that a wave wakes, are given the same batch, and it is made once.
type class struct {
	key     string
	streams atomic.Int32 // how many are open; changed under Classes.mu

	making sync.Mutex // one batch at a time
	made   sync.RWMutex
	batch  madeBatch // guarded by made
}

// madeBatch is the batch of a stream that had seen everything before from, and what it has come to with it.
type madeBatch struct {
	from, end oplog.Timestamp
	elements  []byte
	n         int
	token     []byte
	tokenTS   oplog.Timestamp
}

// maxMade bounds what a class keeps of a batch.
const maxMade = 256 << 10

// join returns the class of that key for one more stream.
func (cs *Classes) join(key []byte) *class {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byKey[string(key)]
	if c == nil {
		if cs.byKey == nil {
			cs.byKey = map[string]*class{}
		}
		c = &class{key: string(key)}
		cs.byKey[c.key] = c
	}
	c.streams.Add(1)
	return c
}

// leave takes a stream out of its class.
func (cs *Classes) leave(c *class) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.streams.Add(-1) == 0 {
		delete(cs.byKey, c.key)
	}
}

// classKey names what decides what a stream makes of the oplog; ok is false for streams of which each may make something else.
func (s *Spec) classKey(pipeline, let bsonraw.Doc, by *collation.Collation) (key []byte, ok bool) {
	if s.fullDocument != imageOff || s.beforeChange != imageOff || dependsOnCommand(pipeline) {
		return nil, false
	}
	key = []byte{byte(s.form), byte(s.scope.kind), flag(s.scope.system), flag(s.scope.views)}
	key = append(append(key, s.target.Namespace()...), 0)
	it := pipeline.Iter()
	it.Next() // the stage itself says where the stream begins; what matters of it is in the options
	for it.Next() {
		v := it.Value()
		key = append(strconv.AppendInt(key, int64(len(v.Data)), 10), ' ')
		key = append(key, v.Data...)
	}
	if by != nil {
		key = append(key, by.Doc()...)
	}
	return append(key, let...), true
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// mayShare reports whether the next batch of a stream can be that of others: there are some, and it follows the oplog closely, so that
// nobody waits long for a batch to be made. end is how far the oplog goes.
func (s *Stream) mayShare(batch *Batch, end oplog.Timestamp) bool {
	return s.class != nil && s.class.streams.Load() > 1 && s.begun && s.resume == nil && s.passed == 0 && s.fragments == 0 &&
		batch.Docs.Len() == 0 && end >= s.next && end.Seconds() <= s.next.Seconds()+1
}

// give gives the stream the batch that another one has had, if there is one that goes as far as the oplog.
func (c *class) give(s *Stream, batch *Batch, end oplog.Timestamp) bool {
	c.made.RLock()
	defer c.made.RUnlock()
	m := &c.batch
	if m.from != s.next || m.end < end || batch.MaxDocs > 0 && m.n > batch.MaxDocs || len(m.elements) > batch.MaxBytes {
		return false
	}
	batch.Docs.AppendElements(m.elements, m.n)
	s.next = m.end + 1
	s.token, s.tokenTS = append(s.token[:0], m.token...), m.tokenTS
	return true
}

// keep keeps a batch for the other streams of the class. from is where the stream stood before, and it has come to the end of the oplog.
func (c *class) keep(s *Stream, batch *Batch, from oplog.Timestamp) {
	elements := batch.Docs.Elements()
	if len(elements) > maxMade {
		return
	}
	c.made.Lock()
	defer c.made.Unlock()
	m := &c.batch
	m.from, m.end, m.n, m.tokenTS = from, s.next-1, batch.Docs.Len(), s.tokenTS
	m.elements, m.token = append(m.elements[:0], elements...), append(m.token[:0], s.token...)
}
