package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Config says where a store is and how large its parts may get. The zero value of each field is its default.
type Config struct {
	Dir           string        // the folder of the store; empty: in memory
	FS            vfs.FS        // for tests: the filesystem beneath Dir
	OplogMaxBytes int64         // 0: 1 GiB on disk, 256 MiB in memory
	OplogMinAge   time.Duration // entries younger than this stay whatever the size
	TailBytes     int64         // newest oplog entries in memory; 0: 80 MiB
	CacheBytes    int64         // Pebble's block cache; 0: 48 MiB
	MaxOpenFiles  int           // 0: 1000
	Logger        *slog.Logger

	// IndexRules compiles what the specification of an index says in the query language; nil refuses such indexes.
	IndexRules func(spec bsonraw.Doc) (IndexRules, error)
}

// Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	reader // of the database as it is
	*latches
	*images
	*footprint
	db     *pebble.DB
	cache  *pebble.Cache
	writes sync.Pool

	ddl     sync.Mutex // one change of the schema at a time
	catalog atomic.Pointer[Catalog]
	nextID  uint32 // of the next collection or index; guarded by ddl
	compile compiler

	multikey   sync.Mutex // one new mark of an index at a time
	commit     committer
	applied    atomic.Uint64
	durability durability
	flushed    chan struct{} // Pebble has written tables
	tail       tail
	waves      Waves
	trimmer    trimmer
	term       int64
	closeOnce  sync.Once
	closeErr   error
}

// Open opens the store in a folder, creating it when there is none.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Store{reader: reader{failed: newFailure(cfg.Logger)}, latches: newLatches(), compile: cfg.IndexRules, flushed: make(chan struct{}, 1)}
	if err := s.openPebble(cfg); err != nil {
		return nil, fmt.Errorf("open store %q: %w", cfg.Dir, err)
	}
	if err := s.load(cfg); err != nil {
		_ = s.commit.journal.close()
		_ = s.db.Close()
		s.cache.Unref()
		return nil, fmt.Errorf("open store %q: %w", cfg.Dir, err)
	}
	go s.durability.run(s)
	go s.trimmer.run()
	go s.waves.run()
	if s.Applied() == 0 {
		if err := initiate(ctx, s); err != nil {
			return nil, errors.Join(fmt.Errorf("open store %q: %w", cfg.Dir, err), s.Close())
		}
	}
	return s, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.OplogMaxBytes == 0 {
		cfg.OplogMaxBytes = 1 << 30
		if cfg.Dir == "" {
			cfg.OplogMaxBytes = 256 << 20
		}
	}
	if cfg.TailBytes == 0 {
		cfg.TailBytes = 80 << 20
	}
	if cfg.MaxOpenFiles == 0 {
		cfg.MaxOpenFiles = 1000
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = 48 << 20
	}
	// Pebble takes its memtables out of the cache: without room for them nothing else would be cached.
	cfg.CacheBytes += memTables * memTableSize
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.FS == nil {
		cfg.FS = vfs.Default
		if cfg.Dir == "" {
			cfg.FS = vfs.NewMem()
		}
	}
	return cfg
}

// Writes are gathered in up to so many tables in memory of such a size before they go to disk.
const (
	memTables    = 4
	memTableSize = 16 << 20

	// levelZeroLayers are twice the layers of overlapping tables that are let lie before they are merged. New keys mostly are
	// greater than all before, but not in order, so a table overlaps the next one a little: with fewer layers all that is
	// inserted would be written twice.
	levelZeroLayers = 8
)

func (s *Store) openPebble(cfg Config) error {
	dir := cfg.Dir
	if dir == "" {
		dir = "memory"
	}
	if err := makeFolder(cfg.FS, dir); err != nil {
		return err
	}
	s.cache = pebble.NewCache(cfg.CacheBytes)
	opts := &pebble.Options{
		FS:                          cfg.FS,
		DisableWAL:                  true, // see journal
		Cache:                       s.cache,
		Logger:                      pebbleLogger{s.failed},
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       levelZeroLayers,
		L0StopWritesThreshold:       64,
		MaxOpenFiles:                cfg.MaxOpenFiles,
		EventListener:               &pebble.EventListener{BackgroundError: s.failed.set, FlushEnd: func(pebble.FlushInfo) { tell(s.flushed) }},
	}
	opts.Experimental.SpanPolicyFunc = splitByKind
	opts.Levels[0].FilterPolicy = bloom.FilterPolicy(10)
	opts.Levels[0].BlockSize = 16 << 10
	opts.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.FastestCompression }
	db, err := pebble.Open(dir, opts)
	if err != nil {
		s.cache.Unref()
		return explainLocked(err, dir, cfg.FS)
	}
	s.commit.db, s.commit.failed = db, s.failed
	s.db = db
	s.reader.db, s.reader.live, s.reader.newest, s.reader.rows = stored{db}, true, &s.durability.newest, newRows(rowSlots, rowBytes)
	s.images = &images{db: db, commit: &s.commit, failure: s.failed}
	s.footprint = &footprint{db, cfg.FS, cfg.Dir}
	if cfg.Dir == "" {
		return nil
	}
	if err = replayJournal(s, cfg.FS, dir); err != nil {
		err = errors.Join(err, db.Close())
		s.cache.Unref()
	}
	return err
}

// replayJournal opens the journal, of which Pebble has a part in tables.
func replayJournal(s *Store, disk vfs.FS, dir string) error {
	if _, err := s.storedFormat(); err != nil {
		return err
	}
	var stored place
	var err error
	if stored.entry, err = newestEntry(s.db, &pebble.IterOptions{}); err != nil {
		return err
	}
	if stored.number, err = s.meta(batchNumberKey); err != nil {
		return err
	}
	s.commit.journal, err = openJournal(disk, dir, stored, s.commit.replay, s.db.Flush)
	return err
}

// splitByKind ends every table of Pebble's where a kind of keys ends. Documents and oplog entries mostly come in at the end of
// their kind; a table that held the end of one kind and the beginning of the next would overlap all that comes later, and be
// written again and again where it can just be moved down.
func splitByKind(start []byte) (pebble.SpanPolicy, []byte, error) {
	return pebble.SpanPolicy{}, []byte{start[0] + 1}, nil
}

// load reads what the store needs to go on.
func (s *Store) load(cfg Config) (err error) {
	if s.commit.number, err = s.meta(batchNumberKey); err != nil {
		return err
	}
	if err := s.checkFormat(); err != nil {
		return err
	}
	s.trimmer.maxBytes = cfg.OplogMaxBytes
	if err := s.loadCatalog(); err != nil {
		return err
	}
	last, err := newestEntry(s.db, &pebble.IterOptions{})
	if err != nil {
		return err
	}
	if err := s.loadExpiry(); err != nil {
		return err
	}
	s.commit.clock = oplog.NewClock(last, nil)
	s.applied.Store(uint64(last))
	s.durability.init(last)
	s.tail.init(cfg.TailBytes, last)
	s.waves.init(s, last)
	return s.trimmer.init(s, cfg.OplogMaxBytes, cfg.OplogMinAge)
}

// newestEntry reads the timestamp of the newest oplog entry; 0: there is none. The trimmer never deletes that entry.
func newestEntry(db *pebble.DB, o *pebble.IterOptions) (oplog.Timestamp, error) {
	o.LowerBound, o.UpperBound = timestampKey(kindOplog, 0), []byte{kindOplog + 1}
	it, err := db.NewIter(o)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, it.Error()
	}
	return keyTimestamp(it.Key()), it.Error()
}

// initiate writes the entry with which every oplog begins, so that there always is a newest one.
func initiate(ctx context.Context, s *Store) error {
	o, at := bsonraw.BeginDoc(nil)
	o = bsonraw.AppendString(o, "msg", "initiating set")
	w := s.NewWrite()
	w.Log(&oplog.Entry{Op: oplog.NoOp, O: bsonraw.EndDoc(o, at)})
	c, err := w.Commit()
	if err != nil {
		return err
	}
	return c.Wait(ctx)
}

// FormatVersion is the version of the storage format that this package writes. It reads all earlier ones.
const FormatVersion = 2

var formatKey, termKey = metaKey("format"), metaKey("term")

// storedFormat is the format of the store, 0 for a new one; an error where it is newer than this package. It is in Pebble, not in the
// journal, so that the journal's own form may change with it.
func (r reader) storedFormat() (uint64, error) {
	format, err := r.meta(formatKey)
	if err == nil && format > FormatVersion {
		err = fmt.Errorf("it has format %d and this version knows formats up to %d: use a newer version of Sluice", format, FormatVersion)
	}
	return format, err
}

// checkFormat marks a new store, or one of an earlier format, and counts the openings: the term.
func (s *Store) checkFormat() error {
	format, err := s.storedFormat()
	if err != nil {
		return err
	}
	term, err := s.meta(termKey)
	if err != nil {
		return err
	}
	s.term = int64(term) + 1
	b := s.db.NewBatch()
	defer b.Close()
	if err := b.Set(formatKey, binary.BigEndian.AppendUint64(nil, FormatVersion), nil); err != nil {
		return err
	}
	if err := b.Set(termKey, binary.BigEndian.AppendUint64(nil, uint64(s.term)), nil); err != nil {
		return err
	}
	if err := s.commit.apply(b); err != nil {
		return err
	}
	if format != FormatVersion {
		return s.db.Flush() // from the journal an earlier version would not learn of it
	}
	return s.commit.sync()
}

func (r reader) meta(key []byte) (uint64, error) {
	value, closer, err := r.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	if len(value) != 8 {
		return 0, fmt.Errorf("meta record %q has %d bytes", key[1:], len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// Waves returns what those who wait for oplog entries see.
func (s *Store) Waves() *Waves { return &s.waves }

// Term counts how often the store was opened: the term of the primary, which must grow with every start.
func (s *Store) Term() int64 { return s.term }

// DiskUsage returns the bytes that the store takes.
func (s *Store) DiskUsage() int64 {
	return int64(s.db.Metrics().DiskSpaceUsage()) + s.commit.journal.size()
}

// Close ends the store: it waits until what was committed is durable. No other call may be under way. It returns the failure
// of the storage, if there was one.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.durability.close()
		s.waves.close()
		s.trimmer.close()
		s.commit.close()
		_ = s.commit.sync() // of what has no oplog entry; the error is the store's failure
		s.closeErr = errors.Join(s.commit.journal.close(), closePebble(s))
		s.cache.Unref()
	})
	return s.closeErr
}

// closePebble closes the database. After a failure Pebble may hold a lock for good or panic: then closing it is only tried.
func closePebble(s *Store) error {
	if s.Err() == nil {
		return s.db.Close()
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		defer func() { _ = recover() }()
		_ = s.db.Close()
	}()
	select {
	case <-closed:
	case <-time.After(closeGrace):
	}
	return s.Err()
}

// closeGrace is how long Close tries to close a database that has failed.
const closeGrace = 2 * time.Second
