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

// logSizes are the sizes of the logs in a folder.
func logSizes(t *testing.T, disk vfs.FS, dir string) map[string]int64 {
	t.Helper()
	names, err := disk.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			info, err := disk.Stat(disk.PathJoin(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			sizes[name] = info.Size()
		}
	}
	return sizes
}

func TestSmallCommitsDoNotGrowTheLog(t *testing.T) {
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
	before := logSizes(t, vfs.Default, dir)
	for n := range 100 {
		write(n + 1)
	}
	after := logSizes(t, vfs.Default, dir)
	if len(before) == 0 {
		t.Fatal("there is no log")
	}
	for name, size := range after {
		if size == 0 || before[name] != size {
			t.Errorf("%s had %d bytes and has %d: its syncs are slow", name, before[name], size)
		}
	}
}

// logUnder gives a log on a filesystem in memory.
func logUnder(t *testing.T, disk vfs.FS) vfs.File {
	t.Helper()
	f, err := logFS{disk}.Create("000001.log", logCategory)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func writeLog(t *testing.T, f vfs.File, n int) {
	t.Helper()
	if _, err := f.Write(bytes.Repeat([]byte{1}, n)); err != nil {
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

func TestLogIsFilledAheadOfSmallWritesOnly(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	f := logUnder(t, disk)
	sync := func(writes, bytes int, want int64) {
		t.Helper()
		for range writes {
			writeLog(t, f, bytes)
		}
		if err := f.SyncData(); err != nil {
			t.Fatal(err)
		}
		if got := sizeOf(t, f); got != want {
			t.Errorf("after a sync of %d writes of %d bytes the file has %d bytes, want %d", writes, bytes, got, want)
		}
	}
	const large = 10 * 32 << 10
	sync(1, 10, logAhead)
	sync(10, 32<<10, large+10)
	sync(10, 32<<10, 2*large+10)
	sync(1, 10, 2*large+20)
	sync(1, 10, 2*large+logAhead)
	full := sizeOf(t, f)
	writeLog(t, f, int(full)) // a large one, far beyond
	if got, want := sizeOf(t, f), 2*large+30+full; got != want {
		t.Errorf("after a large write the file has %d bytes, want %d", got, want)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	again, err := logFS{disk}.ReuseForWrite("000001.log", "000002.log", logCategory)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	before := sizeOf(t, again)
	writeLog(t, again, 10)
	if got := sizeOf(t, again); got != before {
		t.Errorf("a log that is used again grew from %d to %d bytes", before, got)
	}
}

// fullDisk takes what is appended and refuses what is written ahead.
type fullDisk struct{ vfs.FS }

type fullFile struct{ vfs.File }

var errFull = errors.New("no space left")

func (d fullDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, category)
	return fullFile{f}, err
}

func (fullFile) WriteAt([]byte, int64) (int, error) { return 0, errFull }

func TestLogGoesOnWhereItCannotBeFilled(t *testing.T) {
	t.Parallel()
	f := logUnder(t, fullDisk{vfs.NewMem()})
	defer f.Close()
	for range 5 {
		writeLog(t, f, 100)
		if err := f.SyncData(); err != nil {
			t.Fatal(err)
		}
	}
	if got := sizeOf(t, f); got != 500 {
		t.Errorf("the file has %d bytes, want 500", got)
	}
	if _, err := (logFS{vfs.NewMem()}).ReuseForWrite("none", "new", logCategory); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a log that is not there: %v", err)
	}
}
