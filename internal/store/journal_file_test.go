package store

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// journalSizes are the sizes of the journal's files in a folder.
func journalSizes(t *testing.T, disk vfs.FS, dir string) map[string]int64 {
	t.Helper()
	names, err := disk.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, name := range names {
		if strings.HasPrefix(name, "journal-") {
			info, err := disk.Stat(disk.PathJoin(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			sizes[name] = info.Size()
		}
	}
	return sizes
}

func TestSmallCommitsDoNotGrowTheJournal(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, Config{Dir: dir})
	c := collection(t, s, "c")
	write := func(n int) {
		if err := insert(t, s, c, doc("_id", n)).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	before := journalSizes(t, vfs.Default, dir)
	for n := range 100 {
		write(n + 1)
	}
	after := journalSizes(t, vfs.Default, dir)
	if len(before) == 0 {
		t.Fatal("there is no journal")
	}
	for name, size := range after {
		if size == 0 || before[name] != size {
			t.Errorf("%s had %d bytes and has %d: its syncs are slow", name, before[name], size)
		}
	}
}

// journalFileUnder gives a file on a filesystem in memory.
func journalFileUnder(t *testing.T, disk vfs.FS) *journalFile {
	t.Helper()
	f, err := createJournalFile(disk, "journal-1", "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func writeJournal(t *testing.T, f *journalFile, n int) {
	t.Helper()
	if err := f.write(bytes.Repeat([]byte{1}, n)); err != nil {
		t.Fatal(err)
	}
}

func sizeOf(t *testing.T, f vfs.File) int64 {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestJournalIsFilledAheadOfSmallWritesOnly(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	f := journalFileUnder(t, disk)
	expect := func(bytes int, want int64) {
		t.Helper()
		writeJournal(t, f, bytes)
		if got := sizeOf(t, f); got != want {
			t.Errorf("after a write of %d bytes the file has %d bytes, want %d", bytes, got, want)
		}
	}
	const large = 10 * 32 << 10
	expect(10, fillAhead)
	expect(large, large+10)
	expect(large, 2*large+10)
	expect(10, 2*large+20)
	expect(10, 2*large+fillAhead)
	full := sizeOf(t, f)
	expect(int(full), 2*large+30+full) // far beyond
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	again, err := createJournalFile(disk, "journal-2", "journal-1")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	before := sizeOf(t, again)
	writeJournal(t, again, 10)
	if got := sizeOf(t, again); got != before {
		t.Errorf("a file that is used again grew from %d to %d bytes", before, got)
	}
}

// crampedDisk takes what is appended and refuses what is written ahead.
type crampedDisk struct{ vfs.FS }

type crampedFile struct{ vfs.File }

var errFull = errors.New("no space left")

func (d crampedDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, category)
	return crampedFile{f}, err
}

func (crampedFile) WriteAt([]byte, int64) (int, error) { return 0, errFull }

func TestJournalGoesOnWhereItCannotBeFilled(t *testing.T) {
	t.Parallel()
	f := journalFileUnder(t, crampedDisk{vfs.NewMem()})
	defer f.Close()
	for range 5 {
		writeJournal(t, f, 100)
	}
	if got := sizeOf(t, f); got != 500 {
		t.Errorf("the file has %d bytes, want 500", got)
	}
	if _, err := createJournalFile(vfs.NewMem(), "new", "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
