package aggregation

import (
	"bytes"
	"context"
	"io"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/ordering"
)

// sortStage is $sort. Documents with equal keys keep their order.
type sortStage struct {
	ordering *ordering.Ordering
	limit    int64 // how many documents are wanted of what is sorted, 0 for all
}

func compileSort(c *compiler, _ string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(15973, "the $sort key specification must be an object")
	}
	if spec.Doc().IsEmpty() {
		return nil, mongoerr.New(15976, "$sort stage must have at least one sort key")
	}
	o, err := ordering.Compile(spec.Doc(), c.scope.Collation())
	if err != nil {
		return nil, err
	}
	return &sortStage{ordering: o}, nil
}

func (s *sortStage) name() string    { return "$sort" }
func (s *sortStage) optimize() error { return nil }

func (s *sortStage) start(src Source, f frame) Source {
	return &sorted{src: src, by: s.ordering, limit: s.limit, memory: f.memory}
}

// sorted reads all documents at the first Next and keeps those that are wanted.
type sorted struct {
	src    Source
	by     *ordering.Ordering
	limit  int64
	memory int

	filled  bool
	rows    rowHeap // in heap order only while there is a limit
	arrived int
	used    int
	key     []byte
	slab    []byte
}

// sortRow is a document and the key that orders it: the key's bytes, then the document's.
type sortRow struct {
	bytes   []byte
	key     int // length of the key
	arrived int
}

// rowOverhead is what a row takes beside its bytes.
const rowOverhead = 40

func (s *sorted) Next(ctx context.Context) (bsonraw.Doc, error) {
	if !s.filled {
		s.filled = true
		if err := collect(ctx, s.src, s.take); err != nil {
			return nil, err
		}
		slices.SortFunc(s.rows, sortRow.compare)
	}
	if len(s.rows) == 0 {
		return nil, io.EOF
	}
	row := s.rows[0]
	s.rows[0] = sortRow{}
	s.rows = s.rows[1:]
	return row.bytes[row.key:], nil
}

func (s *sorted) take(doc bsonraw.Doc) error {
	var err error
	if s.key, err = s.by.AppendKey(s.key[:0], doc); err != nil {
		return err
	}
	s.arrived++
	row := sortRow{key: len(s.key), arrived: s.arrived}
	switch {
	case s.limit == 0:
		row.bytes = s.store(s.key, doc)
		s.rows = append(s.rows, row)
	case int64(len(s.rows)) < s.limit:
		row.bytes = append(append(make([]byte, 0, len(s.key)+len(doc)), s.key...), doc...)
		s.rows = append(s.rows, row)
		s.rows.up(len(s.rows) - 1)
	default:
		greatest := s.rows[0]
		if bytes.Compare(s.key, greatest.bytes[:greatest.key]) >= 0 {
			return nil
		}
		s.used -= len(greatest.bytes) + rowOverhead
		row.bytes = append(append(greatest.bytes[:0], s.key...), doc...)
		s.rows[0] = row
		s.rows.down(0)
	}
	s.used += len(row.bytes) + rowOverhead
	return s.checkMemory()
}

func (s *sorted) checkMemory() error {
	if s.used > s.memory {
		return mongoerr.New(mongoerr.QueryExceededMemoryLimitNoDiskUseAllowed,
			"Sort exceeded memory limit of %d bytes, and this server does not sort on disk: an index on the sort keys or a $limit helps", s.memory)
	}
	return nil
}

// slabSize is how much memory is asked for at once.
const slabSize = 256 << 10

// store copies a row into memory that is shared with others, since most rows are small.
func (s *sorted) store(key []byte, doc bsonraw.Doc) []byte {
	n := len(key) + len(doc)
	if n > slabSize/4 {
		return append(append(make([]byte, 0, n), key...), doc...)
	}
	if n > cap(s.slab)-len(s.slab) {
		s.slab = make([]byte, 0, slabSize)
	}
	start := len(s.slab)
	s.slab = append(append(s.slab, key...), doc...)
	return s.slab[start:len(s.slab):len(s.slab)]
}

func (r sortRow) compare(other sortRow) int {
	if c := bytes.Compare(r.bytes[:r.key], other.bytes[:other.key]); c != 0 {
		return c
	}
	return r.arrived - other.arrived
}

// rowHeap is a heap of rows with the greatest at its top.
type rowHeap []sortRow

func (h rowHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h[i].compare(h[parent]) <= 0 {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (h rowHeap) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if right := child + 1; right < len(h) && h[right].compare(h[child]) > 0 {
			child = right
		}
		if h[i].compare(h[child]) >= 0 {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
