package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// openJournal replays the journal of a store through apply, each batch in its order, calls store to have all of it in tables, and begins
// a new file.
//
// What is replayed may be in tables already. That does no harm as batches do not depend on what was there before: when all from
// some batch on are applied again, in their order, the last one to write a key wins as it did at first.
func openJournal(disk vfs.FS, dir string, apply func(batch []byte) error, store func() error) (_ *journal, err error) {
	j := &journal{disk: disk, dir: dir}
	if j.folder, err = disk.OpenDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = j.folder.Close() // the other error says more
		}
	}()
	names, err := disk.List(dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, name := range names {
		number, spare, ok := parseJournalName(name)
		switch {
		case !ok:
			continue
		case spare:
			j.files.spares = append(j.files.spares, name)
		default:
			numbers = append(numbers, number)
		}
		j.number = max(j.number, number)
	}
	slices.Sort(numbers)
	if err := j.replay(numbers, apply); err != nil {
		return nil, err
	}
	if len(numbers) > 0 {
		if err := store(); err != nil {
			return nil, err
		}
	}
	for _, number := range numbers {
		if err := j.giveUp(number); err != nil {
			return nil, err
		}
	}
	// No file of the new sequence may be there with one of the old.
	if err := j.folder.Sync(); err != nil {
		return nil, err
	}
	return j, j.begin(j.number + 1)
}

// parseJournalName reports the number in a file's name, and whether it is a spare one.
func parseJournalName(name string) (number uint64, spare, ok bool) {
	digits, ok := strings.CutPrefix(name, "journal-")
	if !ok {
		return 0, false, false
	}
	digits, spare = strings.CutPrefix(digits, "spare-")
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, spare, err == nil && number > 0
}

// replay applies the batches of files.
func (j *journal) replay(numbers []uint64, apply func(batch []byte) error) error {
	// Files were given up in their order, but the disk may have kept that of some only: what is before a gap was given up.
	from := 0
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			from = i
		}
	}
	var last journalReader // that was begun
	empty := ""
	for _, number := range numbers[from:] {
		r := journalReader{name: journalName(number), number: number}
		if err := r.read(j.disk, j.path(r.name)); err != nil {
			return err
		}
		switch {
		case !r.begun:
			empty = r.name // as the last one may be
			continue
		case empty != "":
			return fmt.Errorf("%s is damaged at its beginning, or of a newer version of Sluice: what follows would be lost", empty)
		case last.begun && !last.ended:
			return fmt.Errorf("%s is damaged at byte %d: what follows would be lost", last.name, last.at)
		}
		for batch := r.next(); batch != nil; batch = r.next() {
			if err := apply(batch); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
		r.data, last = nil, r
	}
	return nil
}

// journalReader reads the records of a file.
type journalReader struct {
	name   string
	number uint64
	data   []byte
	at     int
	begun  bool // it has a header
	ended  bool // it has a successor
}

func (r *journalReader) read(disk vfs.FS, path string) error {
	file, err := disk.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	r.data, err = io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	header := binary.LittleEndian.AppendUint64([]byte(journalMagic), r.number)
	if len(r.data) >= journalHeader && string(r.data[:journalHeader]) == string(header) {
		r.begun, r.at = true, journalHeader
	}
	return nil
}

// next returns the next batch, or nil when there is none.
func (r *journalReader) next() []byte {
	rest := r.data[r.at:]
	if len(rest) < recordHeader {
		return nil
	}
	n := int64(binary.LittleEndian.Uint32(rest[4:]))
	if n > int64(len(rest)-recordHeader) {
		return nil
	}
	record := rest[:recordHeader+int(n)]
	if binary.LittleEndian.Uint32(record) != recordSum(record, r.number) {
		return nil
	}
	r.at += len(record)
	if n == 0 {
		r.ended = true
		return nil
	}
	return record[recordHeader:]
}
