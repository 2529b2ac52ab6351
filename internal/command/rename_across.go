package command

import (
	"errors"
	"strings"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// runAcross renames a collection into another database: it is copied under a name for the meantime, with its indexes, and then
// the copy gets the name and the collection is dropped, in one commit. done is false when another change came between.
func (r *rename) runAcross(op *operation) (commit store.Commit, done bool, err error) {
	st := op.server.store
	catalog := st.Catalog()
	source, target := catalog.Collection(r.db, r.source), catalog.Collection(r.toDB, r.target)
	if err := r.checkAcross(op, catalog, source, target); err != nil {
		return commit, false, err
	}
	unlock, err := lockAlone(op.ctx, source, target)
	if err != nil {
		return commit, false, err
	}
	defer unlock()
	if err := checkNoBuilds(source); err != nil {
		return commit, false, err
	}
	now := st.Catalog()
	if now.Collection(r.db, r.source) != source || now.Collection(r.toDB, r.target) != target {
		return commit, false, nil
	}
	c := &copying{op: op, from: source, db: r.toDB, name: temporaryName(r.toDB, "renameCollection"), options: source.Options, indexes: true}
	made, unlockMade, err := c.run()
	if err != nil {
		return commit, false, err
	}
	defer unlockMade()
	if commit, done, err = r.replaceByCopy(op, source, target, made); err != nil || !done {
		err = errors.Join(err, c.drop(made))
	}
	return commit, done, err
}

// checkAcross refuses what cannot be renamed from one database to another.
func (r *rename) checkAcross(op *operation, catalog *store.Catalog, source, target *store.Collection) error {
	switch {
	case r.dropUUID != nil || op.wantUUID != nil:
		return mongoerr.New(mongoerr.InvalidOptions, "Cannot provide an expected collection UUID when renaming between databases")
	case (r.db == "local") != (r.toDB == "local"):
		return mongoerr.New(mongoerr.IllegalOperation, "Cannot rename collections between a replicated and an unreplicated database")
	case catalog.ViewDefinition(r.db, r.source) != nil:
		return mongoerr.New(mongoerr.CommandNotSupportedOnView, "cannot rename view: %s", r.from)
	}
	for _, have := range catalog.Databases() {
		if have != r.toDB && strings.EqualFold(have, r.toDB) {
			return differentCase(have, r.toDB)
		}
	}
	switch {
	case source == nil:
		return mongoerr.New(mongoerr.NamespaceNotFound, "source namespace does not exist")
	case catalog.ViewDefinition(r.toDB, r.target) != nil:
		return mongoerr.New(mongoerr.NamespaceExists, "a view already exists with that name: %s", r.to)
	case target != nil && !r.dropTarget:
		return mongoerr.New(mongoerr.NamespaceExists, "target namespace exists")
	}
	return nil
}

// replaceByCopy gives the copy its name and drops the source. All are locked; target is nil if there was none, and done is false
// when there is one now.
func (r *rename) replaceByCopy(op *operation, source, target, made *store.Collection) (commit store.Commit, done bool, err error) {
	st := op.server.store
	n, err := st.Count(op.ctx, source)
	if err != nil {
		return commit, false, err
	}
	ch := st.Change()
	if now := st.Catalog(); now.Collection(r.toDB, r.target) != target || now.ViewDefinition(r.toDB, r.target) != nil {
		ch.Discard()
		return commit, false, nil
	}
	err = moveInto(op, ch, made, target, r.target, r.stayTemp)
	if err == nil {
		err = logDrop(ch, source, n)
	}
	if err != nil {
		ch.Discard()
		return commit, false, err
	}
	commit, err = ch.Commit()
	return commit, true, err
}
