package command

import (
	"crypto/md5" //nolint:gosec // the command is known for it; it tells two states apart, nothing else
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/store"
)

// dbHash {dbHash: 1, collections} tells a hash of each collection, made of its documents in the order of _id, and one of all of
// them, so that two states of a database can be compared. It looks at one moment. Other arguments are accepted and not used.
func dbHash(op *operation) error {
	started := time.Now()
	if err := noName(op); err != nil {
		return err
	}
	var only bsonraw.Doc
	if v := op.body.Lookup("collections"); v.Type == bsonraw.TypeArray {
		only = v.Doc()
	}
	view, release := op.server.store.Pin()
	defer release()
	all := md5.New() //nolint:gosec // see above
	hashes, at := bsonraw.BeginDoc(nil)
	uuids, uuidsAt := bsonraw.BeginDoc(nil)
	capped := bsonraw.BeginArray(nil)
	for _, c := range view.Catalog().Collections(op.db) {
		if strings.HasPrefix(c.Name, "system.") && !systemCollections[c.Name] && c.Series == nil || only != nil && !slices.Contains(stringsOf(op.body.Lookup("collections")), c.Name) {
			continue
		}
		hash, err := collectionHash(op, view, c)
		if err != nil {
			return err
		}
		_, _ = all.Write([]byte(hash)) // a hash takes everything
		hashes = bsonraw.AppendString(hashes, c.Name, hash)
		uuids = bsonraw.AppendBinary(uuids, c.Name, bsonraw.SubtypeUUID, c.UUID[:])
		if c.Cap != nil {
			capped.Append(bsonraw.StringValue(c.Name))
		}
	}
	op.out = bsonraw.AppendString(op.out, "host", op.conn.info.Advertised)
	op.out = bsonraw.AppendDoc(op.out, "collections", bsonraw.EndDoc(hashes, at))
	op.out = bsonraw.AppendArray(op.out, "capped", capped.End())
	op.out = bsonraw.AppendDoc(op.out, "uuids", bsonraw.EndDoc(uuids, uuidsAt))
	op.out = bsonraw.AppendString(op.out, "md5", hex.EncodeToString(all.Sum(nil)))
	op.out = bsonraw.AppendValue(op.out, "timeMillis", numberValue(time.Since(started).Milliseconds()))
	return nil
}

// hashCheckEvery is after how many documents a hash looks whether its command has ended.
const hashCheckEvery = 1024

func collectionHash(op *operation, view store.View, c *store.Collection) (text string, err error) {
	docs, err := view.Docs(c, store.Range{}, false)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, docs.Close()) }()
	hash := md5.New() //nolint:gosec // see above
	for n := 1; docs.Next(); n++ {
		_, _ = hash.Write(docs.Doc()) // a hash takes everything
		if n%hashCheckEvery == 0 && op.ctx.Err() != nil {
			return "", contextError(op.ctx)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
