package expression

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// Context is the memory in which expressions run: values of variables, and an arena for what they compute. The zero Context
// is ready for use. It is meant to be used again and again, with [Context.Reset] between documents, and is not safe for
// concurrent use.
type Context struct {
	root    bsonraw.Doc
	vars    []bsonraw.Value
	args    []bsonraw.Value // a stack of values that are about to become variables
	scratch [][]byte        // buffers that nobody builds in at the moment
	held    [][]byte        // buffers with documents that stay until Reset
	fields  []*fieldList    // lists that nobody fills at the moment
	arena   arena
	stop    context.Context // nil when nothing ends an evaluation
	spent   int             // effort since stop was looked at
	places  bool            // see KeepPlaces
}

// KeepPlaces lets documents that are made here keep the places of fields without a value, as [bsonraw.Doc.Places] has them. Who asks for it
// settles them before they leave.
func (c *Context) KeepPlaces() { c.places = true }

// AppendValue appends an element, and of a missing value at most its place.
func (c *Context) AppendValue(dst, key []byte, v bsonraw.Value) []byte {
	if v.IsMissing() && c.places {
		return bsonraw.AppendVacant(dst, key)
	}
	return bsonraw.AppendValue(dst, key, v)
}

// memoryLimit bounds what is computed for one document, in bytes.
const memoryLimit = 100 << 20

// StopWith makes evaluations end with ctx's error when ctx ends: an expression may run for longer than anybody waits.
func (c *Context) StopWith(ctx context.Context) { c.stop = ctx }

// What steps cost, in bytes that are copied meanwhile, and how much is spent between two looks at whether to stop.
const (
	effortToStop = 1 << 16
	itemEffort   = effortToStop / 16 // an item for which an expression is evaluated that may look at much without copying it
)

// spend notes effort and fails when the evaluation is to stop. Loops that evaluate expressions call it, and what may take long
// by itself.
func (c *Context) spend(effort int) error {
	if c.spent += effort; c.spent < effortToStop {
		return nil
	}
	c.spent = 0
	if c.stop == nil {
		return nil
	}
	return c.stop.Err()
}

// Reset gives back the memory of everything computed so far: values returned by Eval and documents given to Hold are no
// longer valid. Variables keep their values.
func (c *Context) Reset() {
	c.arena.reset()
	for i, buf := range c.held {
		c.Discard(buf)
		c.held[i] = nil
	}
	c.held = c.held[:0]
}

// Set gives a variable its value, which must stay valid as long as expressions that name the variable run.
func (c *Context) Set(slot Slot, v bsonraw.Value) {
	for len(c.vars) <= int(slot) {
		c.vars = append(c.vars, bsonraw.Value{})
	}
	c.vars[slot] = v
}

// Scratch returns an empty buffer in which a document can be built. [Context.Hold] or [Context.Discard] gives it back.
func (c *Context) Scratch() []byte {
	if n := len(c.scratch); n > 0 {
		buf := c.scratch[n-1]
		c.scratch = c.scratch[:n-1]
		return buf[:0]
	}
	return make([]byte, 0, 256)
}

// Hold keeps a document that was built in a buffer from Scratch until Reset, which takes the buffer back. It fails with
// ExceededMemoryLimit when what is computed for one document outgrows its bound.
func (c *Context) Hold(buf []byte) (bsonraw.Doc, error) {
	if c.arena.used+len(buf) > memoryLimit {
		c.Discard(buf)
		return nil, errMemory()
	}
	c.spent += len(buf)
	c.arena.used += len(buf)
	c.held = append(c.held, buf)
	return buf, nil
}

// keepValue copies what was built in a buffer from Scratch into the arena, and takes the buffer back.
func (c *Context) keepValue(t bsonraw.Type, buf []byte) (bsonraw.Value, error) {
	if c.arena.used+len(buf) > memoryLimit {
		c.Discard(buf)
		return bsonraw.Value{}, errMemory()
	}
	c.spent += len(buf)
	data := c.arena.alloc(len(buf))
	copy(data, buf)
	c.Discard(buf)
	return bsonraw.Value{Type: t, Data: data}, nil
}

func errMemory() error {
	return mongoerr.New(mongoerr.ExceededMemoryLimit, "Expression used too much memory for one document: the limit is %d bytes", memoryLimit)
}

// Discard takes back a buffer from Scratch.
func (c *Context) Discard(buf []byte) {
	if cap(buf) <= maxScratch {
		c.scratch = append(c.scratch, buf)
	}
}

// maxScratch is the largest buffer that is kept for the next document.
const maxScratch = 1 << 20

func (c *Context) int32Value(n int32) bsonraw.Value {
	b := c.arena.alloc(4)
	binary.LittleEndian.PutUint32(b, uint32(n))
	return bsonraw.Value{Type: bsonraw.TypeInt32, Data: b}
}

func (c *Context) int64Value(n int64) bsonraw.Value {
	return c.uint64Value(bsonraw.TypeInt64, uint64(n))
}

func (c *Context) doubleValue(f float64) bsonraw.Value {
	return c.uint64Value(bsonraw.TypeDouble, math.Float64bits(f))
}

func (c *Context) dateValue(millis int64) bsonraw.Value {
	return c.uint64Value(bsonraw.TypeDate, uint64(millis))
}

func (c *Context) uint64Value(t bsonraw.Type, n uint64) bsonraw.Value {
	b := c.arena.alloc(8)
	binary.LittleEndian.PutUint64(b, n)
	return bsonraw.Value{Type: t, Data: b}
}

// beginString returns a buffer to which a string's text can be appended; endString makes the value.
func (c *Context) beginString() []byte { return append(c.Scratch(), 0, 0, 0, 0) }

func (c *Context) endString(buf []byte) (bsonraw.Value, error) {
	buf = append(buf, 0)
	binary.LittleEndian.PutUint32(buf, uint32(len(buf)-4))
	return c.keepValue(bsonraw.TypeString, buf)
}

// mark remembers the state of the arena; release gives back what was computed since.
func (c *Context) mark() arenaMark { return c.arena.mark() }

func (c *Context) release(m arenaMark) { c.arena.release(m) }
