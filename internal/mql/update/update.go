package update

import (
	"context"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Options is what a command adds to an update.
type Options struct {
	ArrayFilters bsonraw.Doc       // the array of the arrayFilters argument; nil without one
	Scope        *expression.Scope // collation, variables and the time
}

// Update is a compiled update. It keeps views of what it was compiled from, which must not change while it is used, and
// buffers for its results: it is not safe for concurrent use.
type Update struct {
	replacement bsonraw.Doc // nil unless IsReplacement
	dollar      error       // of a replacement for what exists: its first name with a dollar sign
	pipeline    *pipeline   // nil unless IsPipeline
	tree        *node       // of operators
	filters     []arrayFilter
	positional  bool
	deepens     bool // a result may be nested more deeply than a stored document may be

	applier  applier
	recorder oplog.Recorder
	out      []byte
	entry    []byte
	diff     []byte
	nodes    []node   // of the tree: the first ones
	parts    [][]byte // of the paths, one after another
}

// updates have the memory of updates by operators, which small ones would spend much of their time to get.
var updates = sync.Pool{New: func() any { return &Update{nodes: make([]node, 0, firstNodes)} }}

const (
	// firstNodes are how many nodes of a tree are made at once.
	firstNodes = 8
	// keptBuffers is how large all buffers may be that are kept for the next update.
	keptBuffers = 64 << 10
)

// Release gives the memory of an update to the next one that is compiled. Neither it nor its outcomes may be used any more.
func (u *Update) Release() {
	if u == nil || u.tree == nil || u.memory() > keptBuffers {
		return
	}
	for i := range u.nodes {
		u.nodes[i].forget()
	}
	clear(u.parts)
	u.applier.forget()
	u.recorder.Forget()
	u.tree, u.filters, u.positional, u.deepens = nil, nil, false, false
	u.nodes, u.parts = u.nodes[:0], u.parts[:0]
	updates.Put(u)
}

// memory is about how much memory of buffers there is.
func (u *Update) memory() int {
	const structure = 64
	a := &u.applier
	structures := cap(a.edits.list) + cap(a.slots) + 2*cap(a.hits) + cap(a.trail) + cap(a.moved) + cap(u.parts)
	for i := range u.nodes {
		structures += cap(u.nodes[i].children)
	}
	return cap(u.out) + cap(u.entry) + cap(u.diff) + cap(a.edits.made) + cap(a.values.bytes) + u.recorder.Memory() + structure*structures
}

// newNode makes a node of the tree.
func (u *Update) newNode(kind nodeKind) *node {
	n := len(u.nodes)
	if n == cap(u.nodes) {
		return &node{kind: kind}
	}
	u.nodes = u.nodes[:n+1]
	u.nodes[n].kind = kind
	return &u.nodes[n]
}

// StopWith makes Apply fail with ctx's error when ctx ends, where a pipeline takes long.
func (u *Update) StopWith(ctx context.Context) {
	if u.pipeline != nil {
		u.pipeline.context.StopWith(ctx)
	}
}

// Input is one document to update, and when.
type Input struct {
	// Doc is the stored document. With Insert it is the base of a new one, see [UpsertDocument].
	Doc bsonraw.Doc
	// Position is the index of the array's element that made the filter match, which a positional $ stands for; -1 without one.
	Position int
	// Insert says that the result will be inserted: $setOnInsert has its effect, and nothing is recorded.
	Insert bool
	// Now is the time in milliseconds since 1970, for $currentDate.
	Now int64
	// ClusterTime is for $currentDate with the type timestamp, and for empty timestamps of a replacement.
	ClusterTime oplog.Timestamp
}

// Outcome is what an update did to a document. Its documents are valid until the Update is applied again.
type Outcome struct {
	// Doc is the new document; _id stands first in it.
	Doc bsonraw.Doc
	// Entry is what the oplog records as "o": {$v: 2, diff: ..}, or the new document of a replacement. Nil for an insert and
	// when nothing changed.
	Entry bsonraw.Doc
	// NoOp says that nothing changed, so that nothing is to be stored. An insert is never one.
	NoOp bool
	// NeedsID says that Doc has no _id, which happens to inserts only: the caller makes one and puts it first.
	NeedsID bool
}

// Compile compiles the update argument of a command: a document of operators, a replacement document, or an array of pipeline
// stages. Errors are those of MongoDB.
func Compile(u bsonraw.Value, opts Options) (*Update, error) {
	switch u.Type {
	case bsonraw.TypeArray:
		return compilePipeline(u.Doc(), opts)
	case bsonraw.TypeDocument:
	default:
		return nil, mongoerr.New(mongoerr.FailedToParse, "Update argument must be either an object or an array")
	}
	it := u.Doc().Iter()
	if !it.Next() || len(it.Key()) == 0 || it.Key()[0] != '$' {
		return compileReplacement(u.Doc()), nil
	}
	return compileOperators(u.Doc(), opts)
}

// IsReplacement reports whether the update is a new document.
func (u *Update) IsReplacement() bool { return u.replacement != nil }

// IsPipeline reports whether the update is a pipeline.
func (u *Update) IsPipeline() bool { return u.pipeline != nil }

// NeedsPosition reports whether the update has a positional $, so that the filter has to tell which element matched.
func (u *Update) NeedsPosition() bool { return u.positional }

// Apply computes what the update makes of a document, without changing its bytes.
func (u *Update) Apply(in Input) (Outcome, error) {
	switch {
	case u.replacement != nil:
		return u.replace(in)
	case u.pipeline != nil:
		return u.transform(in)
	}
	return u.operate(in)
}

// operate runs the operators.
func (u *Update) operate(in Input) (Outcome, error) {
	a := &u.applier
	a.reset(u, in)
	if _, err := a.object(u.tree, 0, in.Doc); err != nil {
		return Outcome{}, err
	}
	if len(a.edits.list) == 0 && !in.Insert {
		return Outcome{Doc: in.Doc, NoOp: true}, nil
	}
	u.out = a.edits.finish(u.out[:0])
	if err := checkResult(u.out, u.deepens); err != nil {
		return Outcome{}, err
	}
	if in.Insert {
		return u.inserted(u.out)
	}
	u.entry = u.recorder.AppendEntry(u.entry[:0])
	return Outcome{Doc: u.out, Entry: u.entry}, nil
}

// inserted is the outcome of an upsert.
func (u *Update) inserted(doc bsonraw.Doc) (Outcome, error) {
	id := doc.Lookup(idField)
	if err := checkID(id); err != nil {
		return Outcome{}, err
	}
	return Outcome{Doc: idFirst(doc), NeedsID: id.IsMissing()}, nil
}
