package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sluicestream/sluice/internal/oplog"
)

// openJournalOf opens the journal in a folder and returns what it replayed.
func openJournalOf(t *testing.T, disk vfs.FS) (*journal, []string, error) {
	t.Helper()
	var replayed []string
	j, err := openJournal(disk, "", place{}, func(batch []byte) error {
		replayed = append(replayed, string(batch))
		return nil
	}, func() error { return nil })
	return j, replayed, err
}

func mustOpenJournal(t *testing.T, disk vfs.FS) (*journal, []string) {
	t.Helper()
	j, replayed, err := openJournalOf(t, disk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.close(); err != nil {
			t.Error(err)
		}
	})
	return j, replayed
}

func appendAll(t *testing.T, j *journal, batches ...string) {
	t.Helper()
	for i, b := range batches {
		if err := j.append([]byte(b), oplog.Timestamp(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.sync(); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, disk vfs.FS, name string) []byte {
	t.Helper()
	var r journalReader
	if err := r.read(disk, name); err != nil {
		t.Fatal(err)
	}
	return r.data
}

func writeFile(t *testing.T, disk vfs.FS, name string, data []byte) {
	t.Helper()
	f, err := disk.Create(name, journalCategory)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(bytes.Clone(data)) // which a disk in memory spoils afterwards where there is a race detector
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestJournalGivesBackWhatWasSynced(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	j, got := mustOpenJournal(t, disk)
	if len(got) != 0 {
		t.Errorf("a new journal has %q", got)
	}
	appendAll(t, j, "one", "two")
	appendAll(t, j, "three")
	if err := j.append([]byte("never synced"), 4); err != nil {
		t.Fatal(err)
	}
	again, got := mustOpenJournal(t, disk)
	if want := []string{"one", "two", "three"}; !slices.Equal(got, want) {
		t.Errorf("it has %q, want %q", got, want)
	}
	appendAll(t, again, "four")
	if _, got = mustOpenJournal(t, disk); !slices.Equal(got, []string{"four"}) {
		t.Errorf("after an opening it has %q, want what came since", got)
	}
}

// TestJournalEndsAtATornRecord cuts or spoils the last record at every byte: those before it are there, and nothing else.
func TestJournalEndsAtATornRecord(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	j, _ := mustOpenJournal(t, disk)
	appendAll(t, j, "one", "two")
	name := journalName(j.number)
	whole := readAll(t, disk, name)[:j.file.end]
	for at := len(whole) - recordHeader - len("two"); at < len(whole); at++ {
		spoilt := bytes.Clone(whole)
		spoilt[at] ^= 0x10
		for _, data := range [][]byte{whole[:at], spoilt, append(bytes.Clone(whole[:at]), make([]byte, 100)...)} {
			torn := vfs.NewMem()
			writeFile(t, torn, name, data)
			if _, got := mustOpenJournal(t, torn); !slices.Equal(got, []string{"one"}) {
				t.Errorf("with the record spoilt at byte %d: %q", at, got)
			}
		}
	}
	for at := range journalHeader {
		torn := vfs.NewMem()
		writeFile(t, torn, name, whole[:at])
		if _, got := mustOpenJournal(t, torn); len(got) != 0 {
			t.Errorf("with %d bytes of a header: %q", at, got)
		}
	}
}

// fillFiles writes commits with a name until there are so many files, of which it returns the names.
func fillFiles(t *testing.T, j *journal, name string, n int) (names []string) {
	t.Helper()
	j.limit = 64 << 10
	large := strings.Repeat("x", int(j.limit/2))
	first := j.number
	for ts := oplog.Timestamp(1); j.number < first+uint64(n)-1 || j.file.end < j.limit/2; ts++ {
		if err := j.append([]byte(fmt.Sprint(name, ts, large)), ts); err != nil {
			t.Fatal(err)
		}
		if err := j.sync(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		names = append(names, journalName(first+uint64(i)))
	}
	return names
}

func TestJournalThatIsDamagedInTheMiddleIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(data []byte) []byte{
		"damaged at byte": func(data []byte) []byte { data[1000] ^= 1; return data },
		"byte 16":         func(data []byte) []byte { return data[:journalHeader] },
		"its beginning":   func(data []byte) []byte { data[0] = 'x'; return data },
	} {
		disk := vfs.NewMem()
		j, _ := mustOpenJournal(t, disk)
		files := fillFiles(t, j, "commit ", 3)
		writeFile(t, disk, files[1], spoil(readAll(t, disk, files[1])))
		_, _, err := openJournalOf(t, disk)
		if err == nil || !strings.Contains(err.Error(), files[1]) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if names, _ := disk.List(""); !slices.Contains(names, files[0]) || !slices.Contains(names, files[2]) {
			t.Errorf("%s: of the files %v are left: nothing may be lost", name, names)
		}
	}
}

// TestJournalThatIsDamagedBeforeASync spoils the last file at every byte. Damage to what was synced before the last sync is told from
// a power failure in that one.
func TestJournalThatIsDamagedBeforeASync(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	j, _ := mustOpenJournal(t, disk)
	fillFiles(t, j, "of a file before it was written over ", 3)
	if err := errors.Join(j.release(1<<62), j.change()); err != nil {
		t.Fatal(err)
	}
	name := journalName(j.number)
	appendAll(t, j, "one", "two")
	appendAll(t, j, "three")
	synced := int(j.file.end)
	appendAll(t, j, "four", "five")
	whole, end := readAll(t, disk, name), int(j.file.end)
	if len(whole) < 3*end {
		t.Fatal("the file is not one that was written over")
	}
	whole = whole[:3*end]
	for at := range end {
		byteSpoilt, partLost := bytes.Clone(whole), bytes.Clone(whole)
		byteSpoilt[at] ^= 0x10
		clear(partLost[max(at-50, 0) : at+1])
		for _, data := range [][]byte{byteSpoilt, partLost} {
			left := vfs.NewMem()
			writeFile(t, left, name, data)
			var got []string
			err := (&journal{disk: left}).replay([]uint64{j.number}, place{}, func(batch []byte) error {
				got = append(got, string(batch))
				return nil
			})
			damaged := err != nil && strings.Contains(err.Error(), name+" is damaged at")
			switch {
			case bytes.Equal(data[:synced], whole[:synced]):
				if err != nil || len(got) < 3 || len(got) > 4 {
					t.Errorf("spoilt at byte %d, in the last sync: %q, %v", at, got, err)
				}
			case bytes.Equal(data[synced:synced+recordHeader], whole[synced:synced+recordHeader]):
				if !damaged {
					t.Errorf("spoilt at byte %d, with a sync at %d: %q, %v", at, synced, got, err)
				}
			}
		}
	}
}

func TestJournalFilesAreGivenUpInTheirOrderAndUsedAgain(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	j, _ := mustOpenJournal(t, disk)
	files := fillFiles(t, j, "early", 4)
	left := func() (names []string) {
		all, err := disk.List("")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range all {
			if _, spare, ok := parseJournalName(name); ok && !spare {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	if got := left(); !slices.Equal(got, files) {
		t.Fatalf("there are %v, want %v", got, files)
	}
	second := j.files.full[0].next
	for i, stored := range []oplog.Timestamp{second - 1, second, 1 << 62} {
		if err := j.release(stored); err != nil {
			t.Fatal(err)
		}
		if got, want := left(), files[[]int{0, 1, 3}[i]:]; !slices.Equal(got, want) {
			t.Errorf("with everything in tables up to %d there are %v, want %v", stored, got, want)
		}
	}
	spares := len(j.files.spares)
	fillFiles(t, j, "later", 2)
	if got := len(j.files.spares); got != spares-1 {
		t.Errorf("a new file was begun, and there are %d spare ones of %d", got, spares)
	}
	appendAll(t, j, "last")
	_, got := mustOpenJournal(t, disk)
	if len(got) == 0 || got[len(got)-1] != "last" {
		t.Errorf("the last of %d batches is not the one that was written last", len(got))
	}
	for i, batch := range got {
		if i > 0 && strings.HasPrefix(batch, "early") && strings.HasPrefix(got[i-1], "later") {
			t.Error("what a file had before is taken for a record of it")
		}
	}
}

// TestJournalKeepsNoLargeFile: what one large commit took is not taken for good.
func TestJournalKeepsNoLargeFile(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	j, _ := mustOpenJournal(t, disk)
	j.limit = 64 << 10
	appendAll(t, j, strings.Repeat("x", 4<<20))
	fillFiles(t, j, "after it ", 3)
	if err := j.release(1 << 62); err != nil {
		t.Fatal(err)
	}
	if len(j.files.spares) == 0 {
		t.Error("no file is kept")
	}
	if size := j.size(); size > 2<<20 {
		t.Errorf("with everything in tables the journal has %d bytes", size)
	}
}

// TestJournalFilesThatComeBack: what was given up may be there again after a power failure, with a gap behind it.
func TestJournalFilesThatComeBack(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	j, _ := mustOpenJournal(t, disk)
	files := fillFiles(t, j, "commit ", 3)
	if err := disk.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	_, got := mustOpenJournal(t, disk)
	for _, batch := range got {
		if strings.HasPrefix(batch, "commit 1x") || strings.HasPrefix(batch, "commit 2x") {
			t.Errorf("a batch from before the gap was replayed")
		}
	}
	if len(got) == 0 {
		t.Error("nothing from behind the gap was replayed")
	}
}

// TestStoreOutgrowsItsJournal writes many times what a file holds. The journal stays small, and a power failure at any moment loses
// nothing.
func TestStoreOutgrowsItsJournal(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s := open(t, Config{Dir: "data", FS: disk, OplogMaxBytes: 8 << 20})
	s.commit.journal.limit = 1 << 20
	c := collection(t, s, "c", indexSpec("a_1", "a", false))
	random := rand.New(rand.NewPCG(3, 4))
	text := strings.Repeat("text that does not matter ", 12<<10)
	var docs int64
	for n := range 60 { // of 300 KB
		if err := insert(t, s, c, doc("_id", n, "a", -n, "text", text)).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		docs++
		if n%12 != 11 {
			continue
		}
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: rand.New(rand.NewPCG(random.Uint64(), 0))})
		again, err := Open(t.Context(), Config{Dir: "data", FS: left})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.Count(t.Context(), again.Catalog().Collection("db", "c")); got != docs || err != nil {
			t.Errorf("after %d documents there are %d, %v", docs, got, err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(s.Flush(), insert(t, s, c, doc("_id", "last")).Wait(t.Context()), s.Flush(), s.commit.shortenJournal()); err != nil {
		t.Fatal(err)
	}
	const files = memTables + 1 + 1 // spare ones, the one that is written, and one that it may have left behind
	if size, limit := s.commit.journal.size(), int64(files*2<<20); size > limit {
		t.Errorf("with everything in tables the journal has %d bytes, more than %d", size, limit)
	}
}

func FuzzJournal(f *testing.F) {
	disk := vfs.NewMem()
	j, err := openJournal(disk, "", place{}, nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(j.append([]byte("one"), 1), j.append([]byte("two"), 0), j.sync(), j.change()); err != nil {
		f.Fatal(err)
	}
	r := journalReader{number: 1}
	if err := r.read(disk, journalName(1)); err != nil {
		f.Fatal(err)
	}
	f.Add(r.data[:100], uint8(40))
	f.Fuzz(func(t *testing.T, data []byte, at uint8) {
		r := journalReader{number: 1, data: data, begun: true}
		for batch := r.next(); batch != nil; batch = r.next() {
			if len(batch) == 0 || r.at > len(data) {
				t.Fatalf("a batch of %d bytes up to %d of %d", len(batch), r.at, len(data))
			}
		}
		if r.at > len(data) {
			t.Fatalf("read up to %d of %d", r.at, len(data))
		}
		_ = r.goesOn()
		// A record stands alone: wherever it begins, it ends what it says.
		if int(at) <= len(data) {
			record := appendRecord(bytes.Clone(data[:at]), []byte("batch"), 7)
			sealRecord(record[at:], 1)
			r := journalReader{number: 1, data: append(record, data[at:]...), at: int(at), begun: true}
			if batch := r.next(); string(batch) != "batch" {
				t.Fatalf("%q", batch)
			}
		}
	})
}
