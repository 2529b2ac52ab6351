package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// LatchDocs waits until the caller alone may write the documents with these keys of _id. Latches come after a collection's
// lock and before the commit lock, those of documents before those of unique entries. In a capped collection one
// latch stands for all documents: an insert may delete others.
func (l *latches) LatchDocs(ctx context.Context, c *Collection, idKeys ...[]byte) (Held, error) {
	if c.Order != nil {
		return l.acquire(ctx, []Latch{l.key(kindPlace, c.ID, nil)})
	}
	keys := make([]Latch, len(idKeys))
	for i, k := range idKeys {
		keys[i] = l.key(kindDocument, c.ID, k)
	}
	return l.acquire(ctx, keys)
}

// LatchUnique waits until the caller alone may write the unique index entries of these documents.
func (l *latches) LatchUnique(ctx context.Context, c *Collection, docs ...Indexed) (Held, error) {
	return l.acquire(ctx, l.uniqueKeys(c, docs))
}

func (l *latches) uniqueKeys(c *Collection, docs []Indexed) (keys []Latch) {
	for _, d := range docs {
		_ = d.eachGuarded(c, func(x *Index, values []byte) error { // what an index refuses needs no latch
			keys = append(keys, l.key(kindIndex, x.ID, values))
			return nil
		})
	}
	return keys
}

// CheckUnique returns a duplicate key error (11000) if another document has a unique entry of d, or why an index cannot hold d:
// what comes first in the order of the indexes. The caller holds the latches, so the answer stays true until it commits.
func (r reader) CheckUnique(c *Collection, idKey []byte, d Indexed) error {
	return d.eachGuarded(c, func(x *Index, values []byte) error {
		taken, err := r.takenByOther(x, values, idKey)
		if err == nil && taken {
			err = DuplicateKey(c, x, d.Doc, values)
		}
		return err
	})
}

func (r reader) takenByOther(x *Index, values, idKey []byte) (bool, error) {
	it, err := r.Entries(x, Range{From: values, To: after(values)}, false)
	if err != nil {
		return false, err
	}
	taken := false
	for it.Next() {
		switch {
		case !bytes.Equal(it.values, values):
		case !bytes.Equal(it.idKey, idKey):
			taken = true
		case x.Prepared:
			return false, it.Close() // the document has it already
		}
		if taken && !x.Prepared {
			break
		}
	}
	return taken, it.Close()
}

// Shared calls visit with the keys of _id of the documents that share an entry of an index, for each such entry, until visit returns
// false.
func (r reader) Shared(ctx context.Context, x *Index, visit func(idKeys [][]byte) (goOn bool, err error)) error {
	it, err := r.Entries(x, Range{}, false)
	if err != nil {
		return err
	}
	var last []byte
	var group [][]byte
	give := func() (bool, error) {
		defer func() { group = nil }()
		if len(group) < 2 {
			return true, nil
		}
		return visit(group)
	}
	for n := 1; it.Next(); n++ {
		if n%scanDocs == 0 && ctx.Err() != nil {
			return errors.Join(ctx.Err(), it.Close())
		}
		if !bytes.Equal(last, it.values) {
			if goOn, err := give(); err != nil || !goOn {
				return errors.Join(err, it.Close())
			}
			last = append(last[:0], it.values...)
		}
		group = append(group, bytes.Clone(it.idKey))
	}
	_, err = give()
	return errors.Join(err, it.Close())
}

// DuplicateKey makes the error that a document's entry in a unique index is taken, with keyPattern and keyValue. Values is the
// key of the entry; nil means the document's only one. A text that is compared by a collation is told by what stands for it.
func DuplicateKey(c *Collection, x *Index, doc bsonraw.Doc, values []byte) error {
	var value, hex bsonraw.Doc
	_, err := x.tuples(doc, func(tuple []bsonraw.Value) error {
		if value == nil && (values == nil || bytes.Equal(x.AppendKey(nil, tuple), values)) {
			value, hex = x.keyValue(tuple)
		}
		return nil
	})
	if err != nil {
		return err
	}
	extra := bsonraw.AppendDoc(nil, "keyPattern", x.Key)
	extra = bsonraw.AppendDoc(extra, "keyValue", value)
	told := value
	if hex != nil {
		told = inDigits(value, hex)
		extra = bsonraw.AppendArray(extra, "hexEncoded", hex)
	}
	by := x.Spec.Lookup("collation")
	if by.IsMissing() {
		return mongoerr.New(mongoerr.DuplicateKey, "E11000 duplicate key error collection: %s index: %s dup key: %s",
			c.NS(), x.Name, told.Shell()).WithExtra(extra)
	}
	extra = bsonraw.AppendValue(extra, "collation", by)
	return mongoerr.New(mongoerr.DuplicateKey, "E11000 duplicate key error collection: %s index: %s collation: %s dup key: %s",
		c.NS(), x.Name, by.Shell(), told.Shell()).WithExtra(extra)
}

// keyValue shows an entry's values under the names of the index's fields. Hex says which of them are in hexadecimal digits: weights of texts,
// and texts that are not UTF-8; nil if none is.
func (x *Index) keyValue(tuple []bsonraw.Value) (value, hex bsonraw.Doc) {
	out, at := bsonraw.BeginDoc(nil)
	list, encoded := bsonraw.BeginArray(nil), false
	for i, v := range tuple {
		if v.IsMissing() {
			v = bsonraw.NullValue
		}
		inHex := v.Type == bsonraw.TypeString && (x.collated() || !validText(v.Bytes()))
		if inHex {
			text := v.Bytes()
			if x.collated() {
				key := x.Rules.AppendKey(nil, v, false)
				text = bytes.ReplaceAll(key[1:len(key)-1], []byte{0, 0xff}, []byte{0})
			}
			v = bsonraw.StringValue(fmt.Sprintf("%x", text))
		}
		out = bsonraw.AppendValue(out, x.Fields[i].Path, v)
		list.Append(bsonraw.BoolValue(inHex))
		encoded = encoded || inHex
	}
	if encoded {
		hex = list.End()
	}
	return bsonraw.EndDoc(out, at), hex
}

// inDigits marks the values that are in hexadecimal digits, for a text.
func inDigits(value, hex bsonraw.Doc) bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	isHex := hex.Iter()
	for it := value.Iter(); it.Next() && isHex.Next(); {
		v := it.Value()
		if isHex.Value().Bool() {
			v = bsonraw.StringValue("0x" + v.Str())
		}
		out = bsonraw.AppendValue(out, it.Key(), v)
	}
	return bsonraw.EndDoc(out, at)
}

// collated reports whether texts are compared by a collation.
func (x *Index) collated() bool { return x.Rules != nil && !x.Spec.Lookup("collation").IsMissing() }

// validText reports whether a text is UTF-8, or would be if halves of surrogate pairs were characters: so MongoDB has it.
func validText(text []byte) bool {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			const lead, size = 0xed, 3
			if len(text) < size || text[0] != lead || text[1]&0xe0 != 0xa0 || text[2]&0xc0 != 0x80 {
				return false
			}
			n = size
		}
		text = text[n:]
	}
	return true
}
