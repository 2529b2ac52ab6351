package changestream

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// addImages puts the documents into an event that fullDocument and fullDocumentBeforeChange ask for. Those of updates, replacements and
// deletions show what they replaced; of updates what came out of them. c is nil for an event that has none. The filter between the two
// lookups may drop the event: then the result is nil.
func (f *filling) addImages(c *change, event bsonraw.Doc) (bsonraw.Doc, error) {
	s := f.stream
	before := c != nil && s.beforeChange != imageOff && (c.kind == kindUpdate || c.kind == kindReplace || c.kind == kindDelete)
	after := c != nil && s.fullDocument != imageOff && c.kind == kindUpdate
	var pre, post bsonraw.Value
	var err error
	if before || after && s.fullDocument > imageLookup {
		if pre, err = f.preImage(c); err != nil {
			return nil, err
		}
	}
	shown := pre
	if !before {
		shown = bsonraw.Value{}
	}
	if before && pre.Type == bsonraw.TypeNull && s.beforeChange == imageRequired {
		return nil, errNoImage("pre-image for all update, delete and replace events, but the pre-image", c)
	}
	if s.stages.between != nil {
		halfway := event
		if before {
			f.r.imaged = insertImages(f.r.imaged[:0], event, post, shown)
			halfway = f.r.imaged
		}
		if kept, err := f.apply(s.stages.between, halfway); err != nil || kept == nil {
			return nil, err
		}
	}
	if after {
		if post, err = f.postImage(c, pre); err != nil {
			return nil, err
		}
	}
	if !before && !after {
		return event, nil
	}
	f.r.imaged = insertImages(f.r.imaged[:0], event, post, shown)
	return f.r.imaged, nil
}

// insertImages puts fullDocument before ns, and fullDocumentBeforeChange at the end.
func insertImages(dst []byte, event bsonraw.Doc, post, pre bsonraw.Value) []byte {
	dst, at := bsonraw.BeginDoc(dst)
	for it := event.Places(); it.Next(); {
		switch {
		case !post.IsMissing() && string(it.Key()) == "fullDocument":
			continue // its place
		case string(it.Key()) == "ns":
			dst = bsonraw.AppendValue(dst, "fullDocument", post)
		}
		dst = append(dst, it.Elem()...)
	}
	dst = bsonraw.AppendValue(dst, "fullDocumentBeforeChange", pre)
	return bsonraw.EndDoc(dst, at)
}

// preImage returns the document before the change, null when it was not recorded.
func (f *filling) preImage(c *change) (bsonraw.Value, error) {
	images, ok := f.lookup.(Images)
	if !ok {
		return bsonraw.NullValue, nil
	}
	doc, err := images.PreImage(f.ctx, c.uuid, c.ts, c.index)
	return docOrNull(doc), err
}

// postImage returns the document after an update, null when it is not there.
func (f *filling) postImage(c *change, pre bsonraw.Value) (bsonraw.Value, error) {
	if f.stream.fullDocument == imageLookup {
		doc, err := f.lookup.FindByKey(f.ctx, f.namespace(c), c.uuid, c.key, c.ts)
		return docOrNull(doc), err
	}
	if !pre.IsDoc() {
		if f.stream.fullDocument == imageRequired {
			return pre, errNoImage("post-image for all update events, but the post-image", c)
		}
		return pre, nil
	}
	doc, err := oplog.ApplyDiff(pre.Doc(), c.diff)
	return docOrNull(doc), err
}

// namespace returns a change's namespace in one piece.
func (f *filling) namespace(c *change) []byte {
	f.r.ns = append(append(append(f.r.ns[:0], c.db...), '.'), c.coll...)
	return f.r.ns
}

func docOrNull(doc bsonraw.Doc) bsonraw.Value {
	if doc == nil {
		return bsonraw.NullValue
	}
	return doc.Value()
}

func errNoImage(what string, c *change) error {
	return mongoerr.New(mongoerr.NoMatchingDocument, "Change stream was configured to require a %s was not found for event: "+
		"{operationType: %q, ns: {db: %q, coll: %q}, clusterTime: %v}", what, c.kind.operationType(), c.db, c.coll, c.ts)
}
