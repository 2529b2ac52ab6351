package command

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// buildUnderway builds indexes on the documents of a collection, which others use meanwhile. The caller holds its lock
// exclusively; it is given back at once and taken again for the end. done is false when another build had to be waited for: then
// everything has to be looked at again.
func (c *createIndexesArgs) buildUnderway(op *operation, coll *store.Collection, missing []*indexSpec, unlock func()) (done bool, err error) {
	st := op.server.store
	if other := conflictingBuild(coll, missing); other != nil {
		unlock()
		select {
		case <-other.Done():
			return false, nil
		case <-op.ctx.Done():
			return false, contextError(op.ctx)
		}
	}
	uuid := newUUID()
	failed := func(err error) error {
		return mongoerr.From(err).Prefix(fmt.Sprintf("Index build failed: %s: Collection %s ( %s ) :: caused by :: ", uuidText(uuid), coll.NS(), uuidText(coll.UUID)))
	}
	indexes, err := newIndexes(st, coll, missing)
	if err != nil {
		unlock()
		return false, failed(err)
	}
	build := st.StartBuild(coll, uuid, indexes)
	unlock()
	kept := false
	defer func() {
		if !kept {
			if closed := build.Close(false); closed != nil {
				err = errors.Join(err, closed)
			}
		}
	}()
	if err := build.Fill(op.ctx); err != nil {
		return false, failed(err)
	}
	now, unlock, err := lockedAlone(op, c.coll)
	if err != nil {
		return false, failed(err)
	}
	defer unlock()
	if now == nil || now.ID != coll.ID {
		return false, failed(mongoerr.New(mongoerr.IndexBuildAborted, "Index build aborted: %s: the collection has gone", uuidText(uuid)))
	}
	if err := build.Finish(op.ctx); err != nil {
		return false, failed(err)
	}
	next := *now
	next.Indexes = slices.Concat(now.Indexes, indexes)
	ch := st.Change()
	logIndexes(ch, now, indexes, uuid, true)
	if err := ch.Put(&next); err != nil {
		ch.Discard()
		return false, err
	}
	if c.commit, err = ch.Commit(); err != nil {
		return false, err
	}
	kept = true
	if err := build.Close(true); err != nil {
		return false, err
	}
	c.reply(op, now, &next, false)
	return true, nil
}

// conflictingBuild returns a build under way that makes one of the indexes asked for, or another one by its name.
func conflictingBuild(coll *store.Collection, missing []*indexSpec) *store.Build {
	for _, b := range coll.Builds() {
		for _, x := range b.Indexes {
			if slices.ContainsFunc(missing, func(s *indexSpec) bool { return s.name == x.Name || s.same(x) }) {
				return b
			}
		}
	}
	return nil
}

// newIndexes makes the indexes of a build.
func newIndexes(st *store.Store, coll *store.Collection, missing []*indexSpec) ([]*store.Index, error) {
	others := slices.Clone(coll.Indexes)
	for _, b := range coll.Builds() {
		others = append(others, b.Indexes...)
	}
	ch := st.Change()
	defer ch.Discard()
	all := others
	for _, s := range missing {
		x, err := addIndex(ch, coll, all, s)
		if mongoerr.Is(err, mongoerr.IndexAlreadyExists) {
			err = mongoerr.New(mongoerr.OperationFailed, "Cannot build two identical indexes. Try again without duplicate indexes.")
		}
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all[len(others):], nil
}

// checkNoBuilds refuses what cannot be done while indexes of the collection are built.
func checkNoBuilds(c *store.Collection) error {
	if len(c.Builds()) == 0 {
		return nil
	}
	return mongoerr.New(backgroundOperationInProgress, "cannot perform operation: an index build is currently running for collection with UUID: %s", uuidText(c.UUID))
}

const backgroundOperationInProgress mongoerr.Code = 12587

// killBuilds ends builds under way, of a collection whose lock the caller holds exclusively.
func killBuilds(builds []*store.Build) {
	for _, b := range builds {
		b.Kill("the index was dropped")
	}
}

// waitForBuilds waits until builds that were killed have ended.
func waitForBuilds(ctx context.Context, builds []*store.Build) error {
	for _, b := range builds {
		select {
		case <-b.Done():
		case <-ctx.Done():
			return contextError(ctx)
		}
	}
	return nil
}
