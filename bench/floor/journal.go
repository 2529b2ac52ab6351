package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// journalBytes is the size of the file, which is written over from its beginning when it is full: a sync of bytes that a file
	// had before is the shortest.
	journalBytes = 64 << 20
	// longestAwait is how long a stream waits for events before it is answered without any.
	longestAwait = time.Second
)

// journal is the file and what streams read: the events of what was written. Who writes syncs for all that came meanwhile.
type journal struct {
	file *os.File
	at   int64

	mu      sync.Mutex
	syncing bool
	next    *group        // what the next sync is for
	events  [][]byte      // what is durable, of all writes since the last reset
	resets  int           // how often events was emptied
	news    chan struct{} // closed when there are more, or to end a wait
}

// group is writes that share a sync.
type group struct {
	bytes  []byte
	events [][]byte
	done   chan struct{} // closed when it is durable
	err    error
}

func newGroup() *group { return &group{done: make(chan struct{})} }

func openJournal(path string) (*journal, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 1<<20)
	for range journalBytes / len(zeros) {
		if _, err := file.Write(zeros); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return &journal{file: file, next: newGroup(), news: make(chan struct{})}, file.Sync()
}

func (j *journal) close() error { return j.file.Close() }

// tick ends waits that are too long until ctx ends.
func (j *journal) tick(ctx context.Context) {
	ticker := time.NewTicker(longestAwait)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			j.mu.Lock()
			j.tell()
			j.mu.Unlock()
		}
	}
}

// tell wakes all streams. The lock is held.
func (j *journal) tell() {
	close(j.news)
	j.news = make(chan struct{})
}

// write makes bytes durable, and then shows events to streams.
func (j *journal) write(bytes []byte, events ...[]byte) error {
	j.mu.Lock()
	g := j.next
	g.bytes = append(g.bytes, bytes...)
	g.events = append(g.events, events...)
	if j.syncing {
		j.mu.Unlock()
		<-g.done
		return g.err
	}
	j.syncing = true
	for first := true; first || len(j.next.bytes) > 0; first = false { // who leads goes on for those who came meanwhile
		led := j.next
		j.next = newGroup()
		j.mu.Unlock()
		led.err = j.store(led.bytes)
		j.mu.Lock()
		if len(led.events) > 0 {
			j.events = append(j.events, led.events...)
			j.tell()
		}
		close(led.done)
	}
	j.syncing = false
	j.mu.Unlock()
	return g.err
}

func (j *journal) store(bytes []byte) error {
	if j.at+int64(len(bytes)) > journalBytes {
		j.at = 0
	}
	if _, err := j.file.WriteAt(bytes, j.at); err != nil {
		return err
	}
	j.at += int64(len(bytes))
	return syscall.Fdatasync(int(j.file.Fd()))
}

// position is how far a stream has read.
type position struct{ resets, n int }

func (j *journal) present() position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return position{j.resets, len(j.events)}
}

// read returns the events after a position and moves it. It waits until there are some, for longestAwait at most.
func (j *journal) read(p *position) [][]byte {
	j.mu.Lock()
	if p.resets == j.resets && p.n == len(j.events) {
		news := j.news
		j.mu.Unlock()
		<-news
		j.mu.Lock()
	}
	defer j.mu.Unlock()
	if p.resets != j.resets {
		*p = position{resets: j.resets}
	}
	events := j.events[p.n:]
	p.n = len(j.events)
	return events
}

// reset forgets all events.
func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = nil
	j.resets++
}
