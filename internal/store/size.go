package store

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// footprint is what a store takes on disk.
type footprint struct {
	db  *pebble.DB
	fs  vfs.FS
	dir string // empty: in memory
}

// Size estimates the bytes that a collection takes on disk: its documents and its indexes. What is not yet written to tables
// does not count.
func (f *footprint) Size(c *Collection) (int64, error) {
	total, err := f.DocsSize(c)
	for _, x := range c.Indexes {
		if err != nil {
			return 0, err
		}
		var n int64
		n, err = f.IndexSize(x)
		total += n
	}
	return total, err
}

// DocsSize estimates the bytes that a collection's documents take on disk.
func (f *footprint) DocsSize(c *Collection) (int64, error) {
	return f.estimate(c.docRanges())
}

// IndexSize estimates the bytes that an index takes on disk. The one on _id takes none: documents are stored in its order.
func (f *footprint) IndexSize(x *Index) (int64, error) {
	return f.estimate([][]byte{numberedKey(kindIndex, x.ID)})
}

// docRanges are the prefixes of all that belongs to a collection but its indexes.
func (c *Collection) docRanges() [][]byte {
	if c.Oplog {
		return [][]byte{{kindOplog}}
	}
	prefixes := [][]byte{numberedKey(kindDocument, c.ID)}
	if c.Order != nil {
		prefixes = append(prefixes, numberedKey(kindPlace, c.ID), numberedKey(kindIndex, c.Order.ID))
	}
	return prefixes
}

func (f *footprint) estimate(prefixes [][]byte) (total int64, err error) {
	for _, prefix := range prefixes {
		n, err := f.db.EstimateDiskUsage(prefix, after(prefix))
		if err != nil {
			return 0, err
		}
		total += int64(n)
	}
	return total, nil
}

// Compact rewrites what is stored of a collection, so that what was deleted takes no room any more. It returns how many bytes
// were won, as far as that can be estimated.
func (f *footprint) Compact(ctx context.Context, c *Collection) (won int64, err error) {
	before, err := f.Size(c)
	if err != nil {
		return 0, err
	}
	prefixes := c.docRanges()
	for _, x := range c.Indexes {
		prefixes = append(prefixes, numberedKey(kindIndex, x.ID))
	}
	for _, prefix := range prefixes {
		if err := f.db.Compact(ctx, prefix, after(prefix), false); err != nil {
			return 0, err
		}
		if ctx.Err() != nil {
			return 0, contextError(ctx)
		}
	}
	now, err := f.Size(c)
	return max(before-now, 0), err
}

// Filesystem returns how full the filesystem beneath the store is, in bytes; zero for a store in memory.
func (f *footprint) Filesystem() (used, total int64) {
	usage, err := f.fs.GetDiskUsage(f.dir)
	if err != nil || f.dir == "" {
		return 0, 0
	}
	return int64(usage.UsedBytes), int64(usage.TotalBytes)
}
