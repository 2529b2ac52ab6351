package projection

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// Kind tells which of the languages a specification is written in.
type Kind int

// The kinds of specifications.
const (
	// Find is a find command's projection: inclusion or exclusion, computed fields, $slice, $elemMatch and one positional path.
	Find Kind = iota
	// Project is the $project stage: inclusion or exclusion, and computed fields.
	Project
	// AddFields is the $addFields stage, which keeps all fields and computes some.
	AddFields
)

// Projection is a compiled projection. It is immutable once [Projection.Optimize] has run and may then be used concurrently,
// each user with a Context of its own.
type Projection struct {
	root       *node
	keep       bool // fields that the projection does not name stay
	positional bool
	places     bool // see KeepPlaces
}

// KeepPlaces lets the fields that the projection takes away keep their places; see [expression.Context.KeepPlaces]. It is called before
// the projection is used.
func (p *Projection) KeepPlaces() { p.places = true }

// LeavesPlaces drops the places again, where nothing gives them a value behind a projection that only takes fields away. It reports
// whether that is all that the projection does.
func (p *Projection) LeavesPlaces() bool {
	onlyTakes := p.keep && !p.Adds()
	if onlyTakes {
		p.places = false
	}
	return onlyTakes
}

// Adds reports whether the projection has fields that a document gets even when it lacks them.
func (p *Projection) Adds() bool { return p.root.adds }

// Compile reads a specification. Errors carry MongoDB's codes, without the prefix that stages add: 31249 and 31250 for paths
// that collide, 31253 and 31254 for a mixture of inclusion and exclusion.
func Compile(spec bsonraw.Doc, kind Kind, scope *expression.Scope) (*Projection, error) {
	if kind == AddFields {
		return compileAddFields(spec, scope)
	}
	p := &parser{kind: kind, scope: scope, root: &node{}}
	return p.compile(spec)
}

// CompileFind compiles the projection of a find or findAndModify, and evaluates its constants.
func CompileFind(spec bsonraw.Doc, scope *expression.Scope) (*Projection, error) {
	p, err := Compile(spec, Find, scope)
	if err != nil {
		return nil, err
	}
	return p, p.Optimize()
}

// CompileUnset returns the projection that removes fields.
func CompileUnset(paths []string) (*Projection, error) {
	root := &node{}
	for _, path := range paths {
		fields, err := expression.ParsePath(path)
		if err != nil {
			return nil, err
		}
		if err := root.insert(fields, path, entry{action: exclude}); err != nil {
			return nil, err
		}
	}
	root.finish()
	return &Projection{root: root, keep: true}, nil
}

// Optimize evaluates what does not depend on a document; see [expression.Expression.Optimize].
func (p *Projection) Optimize() error { return p.root.optimize() }

// Identity reports whether the projection changes nothing.
func (p *Projection) Identity() bool { return p.keep && len(p.root.entries) == 0 }

// Includes reports whether the projection names the fields that stay.
func (p *Projection) Includes() bool { return !p.keep }

// Keeps reports whether the projection leaves what is at a path as every document has it.
func (p *Projection) Keeps(path string) bool {
	for n, more := p.root, true; more; {
		var name string
		name, path, more = strings.Cut(path, ".")
		at := n.find([]byte(name), 0)
		if at < 0 {
			return p.keep
		}
		switch e := &n.entries[at]; e.action {
		case include:
			return true
		case descend:
			n = e.child
		default:
			return false
		}
	}
	return false // something below the path changes
}

// Positional reports whether the projection has a path that ends in ".$", so that AppendAt needs a position.
func (p *Projection) Positional() bool { return p.positional }

// Append appends the projection of doc. Memory of ctx is used until its next Reset; dst must not be part of it.
func (p *Projection) Append(dst []byte, ctx *expression.Context, doc bsonraw.Doc) ([]byte, error) {
	return p.AppendAt(dst, ctx, doc, -1)
}

// AppendAt is Append for a positional projection: position is the index of the array element that the query matched, -1 when
// there is none.
func (p *Projection) AppendAt(dst []byte, ctx *expression.Context, doc bsonraw.Doc, position int) ([]byte, error) {
	if p.Identity() {
		return append(dst, doc...), nil
	}
	r := run{ctx: ctx, root: doc, keep: p.keep, places: p.places, position: position}
	return r.document(dst, p.root, doc)
}
