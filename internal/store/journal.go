package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sluicestream/sluice/internal/oplog"
)

// journal is the write-ahead log: every batch, in the order in which batches enter Pebble, whose own log is off. It is written and
// synced by whoever waits for its commit (durable.go), where Pebble would hand that to a goroutine of its own and back, which takes
// as long as the sync.
//
// It is a sequence of numbered files. Each begins with a header, and holds records:
//
//	header: "sluicej1", number of the file (8)
//	record: checksum (4), length of the batch (4), timestamp of the last oplog entry in it, 0 for none (8), batch
//
// Numbers are little-endian. The checksum is CRC-32C of the file's number and of what follows the checksum, so that what a file held
// before it was written over is no record of it. A record without a batch ends a file that has a successor, if its timestamp is 0;
// the last file ends where there is no record. Files are no longer needed when Pebble has written to tables what they hold.
//
// What is written at once begins with a mark: a record without a batch that has its own place in the file for a timestamp. All before it
// was synced when it was written. So where a mark comes after what is no record, the file was damaged. Without one, that is how a power
// failure leaves what was being written.
type journal struct {
	disk   vfs.FS
	dir    string
	folder vfs.File

	mu struct {
		sync.Mutex
		pending []byte          // records for the next write
		starts  []int           // where each begins
		first   oplog.Timestamp // of the first that has one
	}

	writing sync.Mutex   // what follows is of the one who writes
	failed  error        // after which nothing is written: it would stand behind a gap
	number  uint64       // of the file
	limit   int64        // journalBytes, but in tests
	file    *journalFile // nil: another one could not be begun
	buffer  []byte
	starts  []int

	files struct { // others
		sync.Mutex
		full   []fullFile // in their order
		spares []string   // to be written over
	}
}

// fullFile is a file that has a successor. Pebble holds all of it in tables when it does so with the successor's first commit.
type fullFile struct {
	number uint64
	next   oplog.Timestamp // that commit, or an earlier one; 0: it did not come yet
}

const (
	journalMagic  = "sluicej1"
	journalHeader = len(journalMagic) + 8
	recordHeader  = 4 + 4 + 8

	// journalBytes is after how many bytes another file is begun: about what Pebble gathers in a table in memory.
	journalBytes = memTableSize
	// pendingBytes is how much may wait to be written: who comes when there is more writes first.
	pendingBytes = 16 << 20
	// keptBuffer is how large a buffer may be that is kept for the next write.
	keptBuffer = 2 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func journalName(number uint64) string { return fmt.Sprintf("journal-%06d", number) }

func spareName(number uint64) string { return fmt.Sprintf("journal-spare-%06d", number) }

// append adds a batch, which enters Pebble next. The order of calls is the order of batches.
func (j *journal) append(batch []byte, last oplog.Timestamp) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.mu.pending) > pendingBytes {
		j.mu.Unlock()
		err := j.sync()
		j.mu.Lock()
		if err != nil {
			return err
		}
	}
	if j.mu.first == 0 {
		j.mu.first = last
	}
	if len(j.mu.pending) == 0 {
		j.mu.starts = append(j.mu.starts, 0)
		j.mu.pending = appendRecord(j.mu.pending, nil, 0) // a mark, of a place that is not known yet
	}
	j.mu.starts = append(j.mu.starts, len(j.mu.pending))
	j.mu.pending = appendRecord(j.mu.pending, batch, last)
	return nil
}

// appendRecord appends a record but for its checksum.
func appendRecord(dst, batch []byte, last oplog.Timestamp) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(batch)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(last))
	return append(dst, batch...)
}

// sealRecord writes the checksum of a record.
func sealRecord(record []byte, number uint64) {
	binary.LittleEndian.PutUint32(record, recordSum(record, number))
}

func recordSum(record []byte, number uint64) uint32 {
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], number)
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, record[4:])
}

// sync makes everything durable that was appended before.
func (j *journal) sync() error {
	if j == nil {
		return nil
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	records, starts, first := j.mu.pending, j.mu.starts, j.mu.first
	j.mu.pending, j.mu.starts, j.mu.first = j.buffer[:0], j.starts[:0], 0
	j.mu.Unlock()
	j.buffer, j.starts = records, starts
	if cap(records) > keptBuffer {
		j.buffer, j.starts = nil, nil
	}
	if len(records) > 0 && j.failed == nil {
		j.failed = j.write(records, starts, first)
	}
	return j.failed
}

// write writes a mark and records, which begin at the given places, and makes them durable.
func (j *journal) write(records []byte, starts []int, first oplog.Timestamp) error {
	if j.file.end >= j.limit {
		if err := j.change(); err != nil {
			return err
		}
	}
	if first != 0 {
		j.date(first)
	}
	binary.LittleEndian.PutUint64(records[8:], uint64(j.file.end))
	for i, at := range starts {
		end := len(records)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		sealRecord(records[at:end], j.number)
	}
	return j.file.write(records)
}

// change ends the file and begins another one.
func (j *journal) change() error {
	end := appendRecord(nil, nil, 0)
	sealRecord(end, j.number)
	if err := j.file.write(end); err != nil {
		return err
	}
	full := j.file
	j.file = nil
	if err := full.Close(); err != nil {
		return err
	}
	j.files.Lock()
	j.files.full = append(j.files.full, fullFile{number: j.number})
	j.files.Unlock()
	return j.begin(j.number + 1)
}

// begin begins a file. Its name is durable before anything is in it: a file that is written over has its old name or what it
// held under that, never the old name and new records.
func (j *journal) begin(number uint64) error {
	file, err := createJournalFile(j.disk, j.path(journalName(number)), j.takeSpare())
	if err != nil {
		return err
	}
	if err = j.folder.Sync(); err == nil {
		err = file.write(binary.LittleEndian.AppendUint64([]byte(journalMagic), number))
	}
	if err != nil {
		_ = file.Close() // the other error says more
		return err
	}
	j.file, j.number = file, number
	return nil
}

func (j *journal) path(name string) string { return j.disk.PathJoin(j.dir, name) }

// takeSpare returns the path of a file that can be written over, or nothing.
func (j *journal) takeSpare() string {
	j.files.Lock()
	defer j.files.Unlock()
	n := len(j.files.spares)
	if n == 0 {
		return ""
	}
	name := j.files.spares[n-1]
	j.files.spares = j.files.spares[:n-1]
	return j.path(name)
}

// date tells the full files which commit came after them.
func (j *journal) date(first oplog.Timestamp) {
	j.files.Lock()
	defer j.files.Unlock()
	for i := len(j.files.full) - 1; i >= 0 && j.files.full[i].next == 0; i-- {
		j.files.full[i].next = first
	}
}

// release gives up the files of which Pebble holds all in tables, when it does so for all commits up to a timestamp. They go in
// their order: what is left has no gap.
func (j *journal) release(stored oplog.Timestamp) error {
	for {
		j.files.Lock()
		if len(j.files.full) == 0 || j.files.full[0].next == 0 || j.files.full[0].next > stored {
			j.files.Unlock()
			return nil
		}
		number := j.files.full[0].number
		j.files.full = j.files.full[1:]
		j.files.Unlock()
		if err := j.giveUp(number); err != nil {
			return err
		}
	}
}

// giveUp makes a file a spare one, or deletes it when there are enough or a commit made it much larger than others.
func (j *journal) giveUp(number uint64) error {
	name, spare := j.path(journalName(number)), spareName(number)
	j.files.Lock()
	enough := len(j.files.spares) >= memTables
	j.files.Unlock()
	// Not under the lock, which writers take.
	info, err := j.disk.Stat(name)
	if err != nil {
		return err
	}
	if enough || info.Size() > 4*max(j.limit, fillAhead) {
		return j.disk.Remove(name)
	}
	if err := j.disk.Rename(name, j.path(spare)); err != nil {
		return err
	}
	j.files.Lock()
	defer j.files.Unlock()
	if !slices.Contains(j.files.spares, spare) { // a power failure may have left the file under both names
		j.files.spares = append(j.files.spares, spare)
	}
	return nil
}

// size returns the bytes that the journal takes on disk, as far as the disk tells.
func (j *journal) size() (total int64) {
	if j == nil {
		return 0
	}
	names, err := j.disk.List(j.dir)
	if err != nil {
		return 0
	}
	for _, name := range names {
		if _, _, ok := parseJournalName(name); !ok {
			continue
		}
		if info, err := j.disk.Stat(j.path(name)); err == nil {
			total += info.Size()
		}
	}
	return total
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.file == nil {
		return j.folder.Close()
	}
	return errors.Join(j.file.Close(), j.folder.Close())
}
