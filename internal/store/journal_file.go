package store

import (
	"math"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// journalFile is a file of the journal that is being written. It makes syncs cheap from the first one on. A sync of bytes that a
// file had before is one write to the disk; a sync of a file that grew, or of bytes that were only reserved, is a transaction of
// the filesystem's journal too, which takes about twice as long. Old files are written over for that reason, but there are none until
// some were filled. So a new one is filled with zeros a piece ahead of what is written to it.
type journalFile struct {
	vfs.File
	end    int64 // of what was written
	filled int64 // of the file
	synced int   // bytes of the last write
}

const (
	// journalCategory is what the filesystem is told of writes to the journal.
	journalCategory vfs.DiskWriteCategory = "sluice-journal"
	// fillAhead is how far a file is filled at a time: a few hundred small commits.
	fillAhead = 256 << 10
	// smallSync is for how many bytes a sync is so short that the part of the filesystem's journal in it counts. For more it is not
	// worth that the disk gets as many zeros before.
	smallSync = 64 << 10
)

// createJournalFile creates a file, or writes over one that is no longer needed.
func createJournalFile(disk vfs.FS, name, reused string) (*journalFile, error) {
	if reused == "" {
		file, err := disk.Create(name, journalCategory)
		if err != nil {
			return nil, err
		}
		return &journalFile{File: file}, nil
	}
	// Not the filesystem's ReuseForWrite, which may take another file instead.
	if err := disk.Rename(reused, name); err != nil {
		return nil, err
	}
	file, err := disk.OpenReadWrite(name, journalCategory)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // the other error says more
		return nil, err
	}
	return &journalFile{File: file, filled: info.Size()}, nil
}

// write appends bytes and makes them durable.
func (f *journalFile) write(p []byte) error {
	if end := f.end + int64(len(p)); end > f.filled && max(len(p), f.synced) <= smallSync {
		f.fill(end)
	}
	n, err := f.Write(p)
	f.end += int64(n)
	f.filled = max(f.filled, f.end)
	f.synced = len(p)
	if err != nil {
		return err
	}
	return f.SyncData()
}

var zeros [fillAhead]byte

// fill writes zeros from a place on. Where that fails the journal goes on without: if the disk is full, what has to be written may
// still fit.
func (f *journalFile) fill(from int64) {
	n, err := f.WriteAt(zeros[:fillAhead-from%4096], from)
	f.filled = from + int64(n)
	if err != nil {
		f.filled = math.MaxInt64
	}
}
