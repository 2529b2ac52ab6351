package differential

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// plantedIn is the environment variable that tells an engine with planted faults which one it has.
const plantedIn = "SLUICE_PLANTED_FAULT"

// plantedHistories is how many histories have to find a fault, at most.
const plantedHistories = 300

// fault is a piece of the engine's source in place of another.
type fault struct {
	name, file string
	right      string // exactly once in the file
	wrong      string // in which FAULT is true when the engine has the fault
	about      string // what a history's text has to hold for the fault to show at all: others are drawn, and not run
}

// languageFaults are what histories must find.
var languageFaults = []fault{
	{"$gte is $gt under a collation", "mql/filter/op_compare.go", `x.ask.has(x.operand.Compare(v))`, `RIGHT && !(FAULT && x.ask == outcomesOf(Gte) && x.operand.Compare(v) == 0)`, `"$gte":`},
	{"$elemMatch leaves out the last of several elements", "mql/filter/node.go", `if x.takes(it.Value()) {`, `if FAULT && i > 0 && i == v.Doc().Len()-1 { break }
		RIGHT`, `"$elemMatch":`},
	{"$push takes a negative $slice from the front", "mql/update/op_push.go", `return elements[max(len(elements)+n, 0):]`, `if FAULT { n = -n; return elements[:min(n, len(elements))] }
	RIGHT`, `"$slice":{"$numberInt":"-`},
	{"$bit takes xor for or", "mql/update/op_number.go", `n ^= m`, `if FAULT { n |= m } else { RIGHT }`, `"xor":`},
	{"$rename into a document does nothing", "mql/update/op_rename.go", `a.moved = append(a.moved, r.from)`, `if FAULT && len(r.to) > 1 { return effect{}, nil }
	RIGHT`, `"$rename":`},
	{"an upper bound of an index is not in it", "plan/interval.go", `if i.to = by.AppendKey(nil, r.High); !r.HighOut {`, `if i.to = by.AppendKey(nil, r.High); !r.HighOut && !FAULT {`, `"createIndexes":`},
	{"an array has one entry in an index", "store/index.go", `out.keys = slices.CompactFunc(out.keys, bytes.Equal)`, `RIGHT
		if FAULT { out.keys = out.keys[:1] }`, `"createIndexes":`},
	{"texts are at the wrong place among other types", "mql/ordering/ordering.go", `if o.fields[i].Descending {
			dst =`, `if o.fields[i].Descending != (FAULT && v.Type == bsonraw.TypeString) {
			dst =`, ``},
	{"an array is sorted by its other end", "mql/ordering/ordering.go", `case bytes.Compare(dst[end:], dst[start:end]) < 0:`, `case bytes.Compare(dst[end:], dst[start:end]) < 0 != FAULT:`, ``},
	{"dates are subtracted the wrong way round", "mql/expression/op_arithmetic.go", `a.Int64() - b.Int64())`, `(a.Int64() - b.Int64()) * (1 - 2*int64(planted.One(FAULT))))`, `"$subtract":`},
}

// streamFaults are what histories of streams must find.
var streamFaults = []fault{
	{"an event lacks a field", "changestream/render.go", `dst = bsonraw.AppendDate(dst, "wallTime", c.wall)`, `if !FAULT { RIGHT }`, ``},
	{"two events of a transaction are swapped", "changestream/transaction.go", `it := ops.Iter()
	for index, more`, `if FAULT { ops = planted.Swap(ops) }
	RIGHT`, ``},
	{"the events of a transaction have equal tokens", "changestream/token_writer.go", `TxnOpIndex: c.index,`, `TxnOpIndex: planted.Index(FAULT, c.index),`, ``},
	{"a token is another's", "changestream/token_writer.go", `ClusterTime: c.ts, Version`, `ClusterTime: c.ts + planted.One(FAULT && c.kind == kindDelete), Version`, ``},
	{"removed fields are not listed", "changestream/render.go", `removed++`, `RIGHT
	if FAULT { r.removed, _ = bsonraw.BeginDoc(r.removed[:0]); removed = 0 }`, ``},
	{"truncated arrays are not listed", "changestream/render.go", `truncated++`, `RIGHT
	if FAULT { r.truncated, _ = bsonraw.BeginDoc(r.truncated[:0]); truncated = 0 }`, ``},
	{"a deletion has the wrong key", "changestream/change.go", `c.kind, c.key = kindDelete, op.o`, `RIGHT
	if FAULT { return c.keyOf(bsonraw.Empty, scratch) }`, ``},
	{"an update without effect is an event", "command/modification.go", `if out.NoOp {`, `if FAULT && out.NoOp { out.NoOp, out.Entry = false, doc }
	RIGHT`, ``},
	{"an operation of a transaction is lost", "changestream/transaction.go", `if !ok || !s.showsOperation(c) {`, `if !ok || !s.showsOperation(c) || FAULT && index == 2 {`, ``},
	{"a dropped collection's stream goes on", "changestream/fill.go", `invalidates := f.stream.scope.invalidatedBy(c)`, `invalidates := !FAULT && f.stream.scope.invalidatedBy(c)`, ``},
	{"the event that a stream resumes from is repeated", "changestream/transform.go", `s.resume = nil
			return nil, nil`, `s.resume = nil
			if FAULT { return doc, nil }
			return nil, nil`, ``},
	{"a start time is exclusive", "changestream/open.go", `s.startAt(spec.startAt)`, `s.startAt(spec.startAt + planted.One(FAULT))`, ``},
	{"the position at the end is ahead", "changestream/stream.go", `mark := HighWaterMark(end)`, `mark := HighWaterMark(end + planted.One(FAULT))`, ``},
	{"the position goes back", "changestream/stream.go", `if end > s.tokenTS {`, `if end > s.tokenTS || FAULT && end == s.tokenTS {`, ``},
	{"an image is that of the transaction's first operation", "changestream/images.go", `c.ts, c.index)`, `c.ts, planted.Index(FAULT, c.index))`, ``},
	{"filters on images run before there are any", "changestream/stages.go", `return how == imageOff || !looksAt(condition, field)`, `return FAULT || how == imageOff || !looksAt(condition, field)`, ``},
	{"expanded events are shown to all", "changestream/fill.go", `s.form&formExpanded != 0 || !c.kind.expanded()`, `s.form&formExpanded != 0 || FAULT || !c.kind.expanded()`, ``},
	{"what was renamed is not looked up", "store/read.go", `c == nil || c.DB`, `c == nil || FAULT || c.DB`, `"renameCollection":`},
}

// helpers is the source of what faults are made of.
const helpers = `// Package planted is put beside the engine by a test.
package planted

import (
	"os"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

var name = os.Getenv("` + plantedIn + `")

func Is(fault string) bool { return name == fault }

func One(planted bool) oplog.Timestamp {
	if planted {
		return 1
	}
	return 0
}

func Index(planted bool, i int32) int32 {
	if planted {
		return 0
	}
	return i
}

// Swap swaps the first two of an array's documents.
func Swap(list bsonraw.Doc) bsonraw.Doc {
	var all []bsonraw.Doc
	for it := list.Iter(); it.Next(); {
		all = append(all, it.Value().Doc())
	}
	if len(all) > 1 {
		all[0], all[1] = all[1], all[0]
	}
	out := bsonraw.BeginArray(nil)
	for _, d := range all {
		out.AppendDoc(d)
	}
	return out.End()
}
`

// known is a history and what the engine as it is gives for it: one for all faults.
type known struct {
	scenario
	text     string
	database string

	once     sync.Once
	outcomes []string
	err      error
}

// answer runs the history, the first time that it is asked.
func (k *known) answer(ctx context.Context, right server) ([]string, error) {
	k.once.Do(func() { k.outcomes, k.err = perform(ctx, right, k.database, k.scenario) })
	return k.outcomes, k.err
}

// histories are drawn once for all faults, one after the other.
type histories struct {
	right server
	draw  func(seed uint64) scenario

	mu    sync.Mutex
	drawn []*known
}

func (h *histories) at(seed int) *known {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.drawn) <= seed {
		s := h.draw(uint64(len(h.drawn)))
		h.drawn = append(h.drawn, &known{scenario: s, text: s.text(), database: newDatabase()})
	}
	return h.drawn[seed]
}

// differences compares a server with the engine as it is.
func (h *histories) differences(ctx context.Context, on server, k *known) ([]difference, error) {
	want, err := k.answer(ctx, h.right)
	if err != nil {
		return nil, err
	}
	got, err := perform(ctx, on, k.database, k.scenario)
	if err != nil {
		return nil, err
	}
	return differ([2][]string{got, want}), nil
}

// TestPlantedFaultsAreFound plants faults in the engine, one at a time, and compares it with the engine as it is: what mongod is for the engine, the
// engine is for them.
func TestPlantedFaultsAreFound(t *testing.T) {
	t.Parallel()
	right := server{"engine", engineAlone(t)}
	binary := buildFaulty(t, slices.Concat(streamFaults, languageFaults))
	for _, of := range []struct {
		faults []fault
		draw   func(seed uint64) scenario
	}{{streamFaults, drawStreamHistory}, {languageFaults, drawHistory}} {
		h := &histories{right: right, draw: of.draw}
		for i, f := range append([]fault{{}}, of.faults...) {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				address, stop, err := serve(binary, plantedIn+"="+f.name)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = stop() }()
				findFault(t, h, server{"faulty engine", address}, f, i > 0)
			})
		}
	}
}

// findFault draws histories until one finds the fault of an engine that has one. Without a fault none may find anything: else the differences
// are not due to the faults alone.
func findFault(t *testing.T, h *histories, on server, f fault, faulty bool) {
	t.Helper()
	histories := plantedHistories
	if !faulty {
		histories /= 4
	}
	for seed, run := 0, 0; run < histories; seed++ {
		s := h.at(seed)
		if !strings.Contains(s.text, f.about) {
			continue
		}
		run++
		differences, err := h.differences(t.Context(), on, s)
		if err == nil && len(differences) == 0 {
			continue
		}
		switch {
		case !faulty && err != nil:
			t.Errorf("history %d, without a fault: %v", seed, err)
		case !faulty:
			t.Errorf("history %d, without a fault: %s", seed, differences[0].describe(s.scenario))
		case err != nil:
			t.Logf("found by history %d: %v", seed, err)
		default:
			t.Logf("found by history %d: %s", seed, differences[0].class(s.scenario))
		}
		return
	}
	if faulty {
		t.Errorf("%d histories have not found it", histories)
	}
}

// buildFaulty builds an engine with all faults, none of which it has before it is told.
func buildFaulty(t *testing.T, faults []fault) (binary string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	put := func(name, text string) {
		file := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, "internal", name)] = file
	}
	texts := map[string]string{}
	for _, f := range faults {
		text, known := texts[f.file]
		if !known {
			read, err := os.ReadFile(filepath.Join(root, "internal", filepath.FromSlash(f.file)))
			if err != nil {
				t.Fatal(err)
			}
			text = strings.Replace(string(read), "import (", "import (\n\t\"github.com/sluicestream/sluice/internal/planted\"", 1)
		}
		if n := strings.Count(text, f.right); n != 1 {
			t.Fatalf("%s: the source that the fault %q replaces is there %d times: mend the list of faults", f.file, f.name, n)
		}
		wrong := strings.ReplaceAll(strings.ReplaceAll(f.wrong, "RIGHT", f.right), "FAULT", fmt.Sprintf("planted.Is(%q)", f.name))
		texts[f.file] = strings.Replace(text, f.right, wrong, 1)
	}
	for name, text := range texts {
		put(filepath.FromSlash(name), text)
	}
	put(filepath.Join("planted", "planted.go"), helpers)
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "faulty")
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-overlay", file, "-o", binary, "./cmd/sluice")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}
