package update

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// modifier is what an operator does at the end of one path.
type modifier interface {
	// apply tells what becomes of a value, which is missing where nothing is yet. Values that it computes go to a.values. It
	// must not change anything itself, and is called once for each place that its path leads to.
	apply(a *applier, old bsonraw.Value) (effect, error)
	// whenBlocked tells what comes of the operator where its path cannot exist.
	whenBlocked(a *applier) (blockedPolicy, error)
}

// effect is what becomes of a value.
type effect struct {
	kind   effectKind
	value  bsonraw.Value // the new value; of extend an array with the new elements
	length int           // of the array that is extended
	silent bool          // somebody else has checked and recorded it
}

type effectKind uint8

const (
	keep   effectKind = iota // nothing changes, and nothing is made where nothing was
	assign                   // the value becomes another
	remove                   // the field goes; an array's element becomes null
	extend                   // an array gets further elements at its end
	touch                    // nothing changes, but if something else does, this is recorded too
)

type blockedPolicy uint8

const (
	failCreating   blockedPolicy = iota // the operator would have made the field
	failTraversing                      // the operator minds, though it makes no fields
	ignoreBlocked
)

// The policies, for operators to embed.
type (
	creating   struct{}
	traversing struct{}
	indulgent  struct{}
)

func (creating) whenBlocked(*applier) (blockedPolicy, error)   { return failCreating, nil }
func (traversing) whenBlocked(*applier) (blockedPolicy, error) { return failTraversing, nil }
func (indulgent) whenBlocked(*applier) (blockedPolicy, error)  { return ignoreBlocked, nil }

// compiler builds an Update from a document of operators.
type compiler struct {
	update *Update
	opts   Options
	used   uint64 // the array filters that paths name
	levels int    // how deeply a result may be nested by what is set
}

// compileFunc compiles an operator for one path.
type compileFunc func(c *compiler, path []byte, arg bsonraw.Value) (modifier, error)

var operators = map[string]compileFunc{
	"$set":         compileSet,
	"$setOnInsert": compileSetOnInsert,
	"$unset":       compileUnset,
	"$currentDate": compileCurrentDate,
	"$inc":         compileInc,
	"$mul":         compileMul,
	"$min":         compileMin,
	"$max":         compileMax,
	"$bit":         compileBit,
	"$push":        compilePush,
	"$addToSet":    compileAddToSet,
	"$pop":         compilePop,
	"$pull":        compilePull,
	"$pullAll":     compilePullAll,
}

// renameOperator stands apart: it has two paths.
const renameOperator = "$rename"

// Operators returns the names of the operators, sorted.
func Operators() []string {
	return slices.Sorted(maps.Keys(operatorNames()))
}

func operatorNames() map[string]bool {
	names := map[string]bool{renameOperator: true}
	for name := range operators {
		names[name] = true
	}
	return names
}

func compileOperators(doc bsonraw.Doc, opts Options) (*Update, error) {
	u := updates.Get().(*Update)
	u.tree = u.newNode(throughFields)
	c := compiler{update: u, opts: opts}
	var err error
	if u.filters, err = compileArrayFilters(opts); err != nil {
		return nil, err
	}
	for it := doc.Iter(); it.Next(); {
		if err := c.operator(it.Key(), it.Value()); err != nil {
			return nil, err
		}
	}
	for i, f := range u.filters {
		if c.used&(1<<i) == 0 {
			return nil, mongoerr.New(mongoerr.FailedToParse, "The array filter for identifier '%s' was not used in the update %s",
				f.identifier, doc.Shell())
		}
	}
	u.deepens = c.levels > bsonraw.MaxStoredDepth
	return u, nil
}

// operator compiles one operator with all its fields.
func (c *compiler) operator(name []byte, fields bsonraw.Value) error {
	compile := operators[string(name)]
	if compile == nil && string(name) != renameOperator {
		return mongoerr.New(mongoerr.FailedToParse,
			"Unknown modifier: %s. Expected a valid update modifier or pipeline-style update specified as an array", name)
	}
	if fields.Type != bsonraw.TypeDocument {
		return mongoerr.New(mongoerr.FailedToParse,
			"Modifiers operate on fields but we found type %s instead. For example: {$mod: {<field>: ...}} not {%s: %s}",
			fields.Type.Name(), name, fields.Shell())
	}
	for it := fields.Doc().Iter(); it.Next(); {
		var err error
		if compile == nil {
			err = c.rename(it.Key(), it.Value())
		} else {
			err = c.field(compile, it.Key(), it.Value())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// field compiles an operator for one path and puts it into the tree.
func (c *compiler) field(compile compileFunc, path []byte, arg bsonraw.Value) error {
	parts, err := c.split(path)
	if err != nil {
		return err
	}
	leaf, err := compile(c, path, arg)
	if err != nil {
		return err
	}
	if err := c.useFilters(parts, path); err != nil {
		return err
	}
	// A value may stand one level deeper than its path: as an array's element.
	c.levels = max(c.levels, len(parts)+1+depth(arg))
	return c.update.add(parts, leaf)
}

// split splits a path into components that stay as they are while the compiler goes on.
func (c *compiler) split(path []byte) ([][]byte, error) {
	start := len(c.update.parts)
	parts, err := splitPath(c.update.parts, path)
	if err != nil {
		return nil, err
	}
	c.update.parts = parts
	parts = parts[start:len(parts):len(parts)]
	for _, part := range parts {
		if string(part) == positionalPart {
			c.update.positional = true
		}
	}
	return parts, nil
}

// depth counts the levels of objects and arrays in a value, up to what no document may have.
func depth(v bsonraw.Value) int {
	if v.Type != bsonraw.TypeDocument && v.Type != bsonraw.TypeArray {
		return 0
	}
	return depthBelow(v.Doc(), bsonraw.MaxMessageDepth)
}

func depthBelow(doc bsonraw.Doc, limit int) int {
	deepest := 0
	for it := doc.Iter(); limit > 0 && it.Next(); {
		if v := it.Value(); v.Type == bsonraw.TypeDocument || v.Type == bsonraw.TypeArray {
			deepest = max(deepest, depthBelow(v.Doc(), limit-1))
		}
	}
	return deepest + 1
}

// named shows a field with its value as messages do.
func named(name []byte, v bsonraw.Value) string { return fmt.Sprintf("%s: %s", name, v.Shell()) }
