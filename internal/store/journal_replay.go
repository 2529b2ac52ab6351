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

	"github.com/sluicestream/sluice/internal/oplog"
)

// openJournal replays the journal of a store through apply, each batch in its order, calls store to have all of it in tables, and begins
// a new file. stored is how far tables go.
//
// Only what comes after that is replayed. Pebble writes tables when it likes: they may have what the journal does not, as it was not
// synced yet. Older batches, put over that, would take it back in part.
func openJournal(disk vfs.FS, dir string, stored place, apply func(batch []byte) error, store func() error) (_ *journal, err error) {
	j := &journal{disk: disk, dir: dir, limit: journalBytes}
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
	if err := j.replay(numbers, stored, apply); err != nil {
		return nil, err
	}
	if len(numbers) > 0 {
		if err := store(); err != nil {
			return nil, err
		}
	}
	if err := j.giveUpAll(numbers); err != nil {
		return nil, err
	}
	return j, j.begin(j.number + 1)
}

// giveUpAll gives up files that were replayed, for good: no file of the new sequence may be there with one of the old. The last
// one goes when the others are gone: what is left has the end of the journal.
func (j *journal) giveUpAll(numbers []uint64) error {
	for i, number := range numbers {
		if i > 0 && i == len(numbers)-1 {
			if err := j.folder.Sync(); err != nil {
				return err
			}
		}
		if err := j.giveUp(number); err != nil {
			return err
		}
	}
	return j.folder.Sync()
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

// replay applies the batches of files that come after what is stored. Before it applies any it has looked at all.
func (j *journal) replay(numbers []uint64, stored place, apply func(batch []byte) error) error {
	// Files were given up in their order, but the disk may have kept that of some only: what is before a gap was given up.
	from := 0
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			from = i
		}
	}
	numbers = numbers[from:]
	end, err := j.survey(numbers, stored)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if number < end.number {
			continue
		}
		r, err := j.read(number)
		if err != nil {
			return err
		}
		for batch := r.next(); batch != nil; batch = r.next() {
			if number == end.number && r.at <= end.at {
				continue
			}
			if err := apply(batch); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

// journalPlace is a place in the journal: the number of a file, and a byte in it.
type journalPlace struct {
	number uint64
	at     int
}

// survey returns where what is stored ends, and an error if a file that is not the last one does not end as it should.
func (j *journal) survey(numbers []uint64, stored place) (end journalPlace, err error) {
	var last *journalReader // that was begun
	empty := ""
	for _, number := range numbers {
		r, err := j.read(number)
		switch {
		case err != nil:
			return end, err
		case !r.begun && r.goesOn():
			return end, damagedBeginning(r.name)
		case !r.begun:
			empty = r.name // as the last one may be
			continue
		case empty != "":
			return end, damagedBeginning(empty)
		case last != nil && !last.ended:
			return end, last.damage()
		}
		for batch := r.next(); batch != nil; batch = r.next() {
			if r.within(batch, stored) {
				end = journalPlace{number, r.at}
			}
		}
		if !r.ended && r.goesOn() {
			return end, r.damage()
		}
		r.data, last = nil, r
	}
	return end, nil
}

func (j *journal) read(number uint64) (*journalReader, error) {
	r := &journalReader{name: journalName(number), number: number}
	return r, r.read(j.disk, j.path(r.name))
}

// journalReader reads the records of a file.
type journalReader struct {
	name   string
	number uint64
	data   []byte
	at     int
	ts     oplog.Timestamp // of the last entry in the record that was read; 0: it has none
	begun  bool            // it has a header
	ended  bool            // it has a successor
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

// within reports whether the batch that was read is known to lie within what ends at a place.
func (r *journalReader) within(batch []byte, end place) bool {
	if r.ts != 0 {
		return r.ts <= end.entry
	}
	number := batchNumber(batch)
	return number != 0 && number <= end.number
}

// next returns the next batch, or nil when there is none.
func (r *journalReader) next() []byte {
	if !r.begun {
		return nil
	}
	for !r.ended {
		record := r.record(r.at)
		if record == nil {
			return nil
		}
		stamp := binary.LittleEndian.Uint64(record[8:])
		if len(record) > recordHeader {
			r.at += len(record)
			r.ts = oplog.Timestamp(stamp)
			return record[recordHeader:]
		}
		r.ended = stamp == 0
		r.at += len(record)
	}
	return nil
}

// record returns the record that begins at a place, or nil when there is none.
func (r *journalReader) record(at int) []byte {
	rest := r.data[at:]
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
	return record
}

// goesOn reports whether there is a mark after the place up to which the file could be read.
func (r *journalReader) goesOn() bool {
	rest := r.data[r.at:]
	for place := uint64(r.at); len(rest) >= recordHeader; place, rest = place+1, rest[1:] {
		// Where a place is written eight bytes later is rare enough to look closer.
		if binary.LittleEndian.Uint64(rest[8:]) == place && len(r.record(int(place))) == recordHeader {
			return true
		}
	}
	return false
}

func damagedBeginning(name string) error {
	return fmt.Errorf("%s is damaged at its beginning, or of a newer version of Sluice: what follows would be lost", name)
}

func (r *journalReader) damage() error {
	return fmt.Errorf("%s is damaged at byte %d: what follows would be lost", r.name, r.at)
}
