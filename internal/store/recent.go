package store

import (
	"bytes"
	"errors"
	"hash/maphash"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// recent knows keys that a collection cannot have, so that most inserts need not look for their documents: new keys mostly are
// greater than all before, or nearly so. Every key beyond the floor that is in the store, or on its way there, was added since the
// floor was set.
type recent struct {
	mu    sync.Mutex
	seed  maphash.Seed
	known bool                // there is a floor
	pause int                 // how often the floor is raised between two looks for greater keys
	wait  int                 // how often from now on before the next
	floor []byte              // nothing is known of keys up to this
	most  []byte              // the greatest key that was added
	added map[uint64]struct{} // hashes of those beyond the floor
}

// recentKeys is how many keys are kept until the floor is set anew.
const recentKeys = 1024

// add notes a key before it enters the store.
func (r *recent) add(key []byte, db source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.added == nil {
		r.seed, r.added = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	r.rise(key)
	r.added[maphash.Bytes(r.seed, key)] = struct{}{}
	if len(r.added) >= recentKeys {
		r.set(db)
	}
}

// addMany notes that many keys enter the store, of which one is the greatest.
func (r *recent) addMany(greatest []byte, db source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rise(greatest)
	r.set(db)
}

func (r *recent) rise(key []byte) {
	if bytes.Compare(key, r.most) > 0 {
		r.most = append(r.most[:0], key...)
	}
}

// set raises the floor to the greatest key of all. There is none as long as the store had greater ones before they were noted.
func (r *recent) set(db source) {
	if !r.known {
		r.look(db)
	}
	r.floor = append(r.floor[:0], r.most...)
	clear(r.added)
}

// maxPause is how often at most the floor is raised without a look.
const maxPause = 1024

// look asks the store whether it has greater keys than those that were noted. Since many deleted ones may lie before the first that is there,
// it does so less often each time.
func (r *recent) look(db source) {
	if r.wait > 0 {
		r.wait--
		return
	}
	r.known = !hasBeyond(db, r.most)
	r.pause = min(2*r.pause+1, maxPause)
	r.wait = r.pause
}

// hasBeyond reports whether a collection has a document behind the key of one, or cannot be asked.
func hasBeyond(db source, key []byte) bool {
	const prefix = 1 + 4
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: append(bytes.Clone(key), 0), UpperBound: after(key[:prefix])})
	if err != nil {
		return true
	}
	found := it.First()
	return errors.Join(it.Error(), it.Close()) != nil || found
}

// lacks reports that the collection does not have a key. False says nothing.
func (r *recent) lacks(key []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known || bytes.Compare(key, r.floor) <= 0 {
		return false
	}
	if len(r.added) == 0 {
		return true // there may be no seed yet
	}
	_, added := r.added[maphash.Bytes(r.seed, key)]
	return !added
}
