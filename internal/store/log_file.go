package store

import (
	"math"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logFS makes the syncs of Pebble's log cheap from the first one on. A sync of bytes that a file had before is one write to the
// disk; a sync of a file that grew, or of bytes that were only reserved, is a transaction of the filesystem's journal too, which
// takes about twice as long. Pebble writes over its old logs for that reason, but it has none until it has filled some. So logs
// are filled with zeros a piece ahead of what is written to them: readers take those for the end of the log.
type logFS struct{ vfs.FS }

const (
	// logCategory is what Pebble calls writes to its log.
	logCategory = "pebble-wal"
	// logAhead is how far a log is filled at a time: a few hundred small commits.
	logAhead = 256 << 10
	// smallSync is for how many bytes a sync is so short that the journal's part in it counts. For more it is not worth
	// that the disk gets as many zeros before.
	smallSync = 64 << 10
)

// Create creates a file.
func (f logFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	if err != nil || category != logCategory {
		return file, err
	}
	return &logFile{File: file}, nil
}

// ReuseForWrite writes over a file that is no longer needed.
func (f logFS) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(from, to, category)
	if err != nil || category != logCategory {
		return file, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // the other error says more
		return nil, err
	}
	return &logFile{File: file, filled: info.Size()}, nil
}

// Unwrap returns the filesystem beneath.
func (f logFS) Unwrap() vfs.FS { return f.FS }

// logFile is a log that is being written, by one goroutine.
type logFile struct {
	vfs.File
	end      int64 // of what was written
	filled   int64 // of the file
	unsynced int   // bytes written since the last sync
	synced   int   // bytes of that one
}

// Write appends to the log.
func (f *logFile) Write(p []byte) (int, error) {
	f.unsynced += len(p)
	if end := f.end + int64(len(p)); end > f.filled && max(f.unsynced, f.synced) <= smallSync {
		f.fill(end)
	}
	n, err := f.File.Write(p)
	f.end += int64(n)
	f.filled = max(f.filled, f.end)
	return n, err
}

var zeros [logAhead]byte

// fill writes zeros from a place on. Where that fails the log goes on without: if the disk is full, what has to be written may
// still fit.
func (f *logFile) fill(from int64) {
	n, err := f.File.WriteAt(zeros[:logAhead-from%4096], from)
	f.filled = from + int64(n)
	if err != nil {
		f.filled = math.MaxInt64
	}
}

// SyncData makes what was written durable.
func (f *logFile) SyncData() error {
	f.synced, f.unsynced = f.unsynced, 0
	return f.File.SyncData()
}

// Sync makes what was written durable, and what the filesystem knows of the file.
func (f *logFile) Sync() error {
	f.synced, f.unsynced = f.unsynced, 0
	return f.File.Sync()
}
