package ordering

import (
	"bytes"
	"errors"
	"strings"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// Field is one field of an ordering.
type Field struct {
	Path       string
	Descending bool
}

// Ordering is a compiled sort specification. It is immutable and may be used concurrently.
type Ordering struct {
	fields []Field
	paths  []bsonraw.Path
	by     *collation.Collation
	walks  sync.Pool // *bsonraw.KeyWalk
}

// maxFields is how many fields MongoDB sorts by.
const maxFields = 32

// Codes of errors in sort specifications.
const (
	codeTooManyFields   mongoerr.Code = 13103
	codeIllegalKey      mongoerr.Code = 15974
	codeBadDirection    mongoerr.Code = 15975
	codeOnlyMeta        mongoerr.Code = 17312
	codeIllegalMeta     mongoerr.Code = 31138
	codeUnsupportedMeta mongoerr.Code = 31218
	codeMetaMissing     mongoerr.Code = 40218
	codeAmbiguousField  mongoerr.Code = 16746
	codePathDollar      mongoerr.Code = 16410
	codePathEmptyName   mongoerr.Code = 15998
	codePathEmpty       mongoerr.Code = 40352
	codePathEnd         mongoerr.Code = 40353
)

// Compile reads a sort specification: names of fields, dotted or not, each with 1 (ascending) or -1 (descending). An empty one
// gives an ordering in which all documents are equal. {$natural: 1} is not an ordering; see [Natural]. by orders strings; nil is
// the simple collation.
func Compile(spec bsonraw.Doc, by *collation.Collation) (*Ordering, error) {
	o := &Ordering{by: by}
	for it := spec.Iter(); it.Next(); {
		f, err := compileField(string(it.Key()), it.Value())
		if err != nil {
			return nil, err
		}
		o.fields = append(o.fields, f)
		o.paths = append(o.paths, bsonraw.NewPath(f.Path))
	}
	if len(o.fields) > maxFields {
		return nil, mongoerr.New(codeTooManyFields, "too many compound keys")
	}
	o.walks.New = func() any { return bsonraw.NewKeyWalk(o.paths) }
	return o, nil
}

func compileField(name string, v bsonraw.Value) (Field, error) {
	if v.IsDoc() {
		return Field{}, compileMeta(v.Doc())
	}
	if !v.Type.IsNumber() {
		return Field{}, mongoerr.New(codeIllegalKey, "Illegal key in $sort specification: %s: %s", name, v.Shell())
	}
	direction, _ := v.AsInt64()
	if direction != 1 && direction != -1 {
		return Field{}, mongoerr.New(codeBadDirection, "$sort key ordering must be 1 (for ascending) or -1 (for descending)")
	}
	if err := checkPath(name); err != nil {
		return Field{}, err
	}
	return Field{Path: name, Descending: direction < 0}, nil
}

// compileMeta explains why a sort by metadata cannot be had. Text scores and the like need indexes that do not exist here.
func compileMeta(spec bsonraw.Doc) error {
	meta := spec.Lookup("$meta")
	switch {
	case meta.IsMissing():
		return mongoerr.New(codeOnlyMeta, "$meta is the only expression supported by $sort right now")
	case spec.Len() != 1:
		return mongoerr.New(mongoerr.FailedToParse, "Cannot have additional keys in a $meta sort specification")
	}
	switch name := meta.Str(); name {
	case "textScore":
		return mongoerr.New(codeMetaMissing, "query requires text score metadata, but it is not available")
	case "geoNearDistance":
		return mongoerr.New(codeMetaMissing, "query requires $geoNear distance metadata, but it is not available")
	case "randVal", "searchScore", "searchHighlights", "geoNearPoint":
		return mongoerr.New(codeUnsupportedMeta, "$meta sort by '%s' metadata is not supported", name)
	}
	return mongoerr.New(codeIllegalMeta, "Illegal $meta sort: $meta: %s", meta.Shell())
}

func checkPath(path string) error {
	if path == "" {
		return mongoerr.New(codePathEmpty, "FieldPath cannot be constructed with empty string")
	}
	if strings.HasSuffix(path, ".") {
		return mongoerr.New(codePathEnd, "FieldPath must not end with a '.'.")
	}
	depth := 0
	for name := range strings.SplitSeq(path, ".") {
		switch {
		case name == "":
			return mongoerr.New(codePathEmptyName, "FieldPath field names may not be empty strings.")
		case name[0] == '$' && name != "$id" && name != "$ref" && name != "$db":
			return mongoerr.New(codePathDollar, "FieldPath field names may not start with '$'. Consider using $getField or $setField.")
		}
		if depth++; depth >= bsonraw.MaxMessageDepth {
			return mongoerr.New(mongoerr.Overflow, "FieldPath is too long")
		}
	}
	return nil
}

// Natural reads {$natural: 1} and {$natural: -1}, with which find asks for the order of the collection itself, forwards or
// backwards. ok is false for every other specification; beside other fields $natural is an error.
func Natural(spec bsonraw.Doc) (backwards, ok bool, err error) {
	v := spec.Lookup("$natural")
	switch {
	case v.IsMissing():
		return false, false, nil
	case spec.Len() > 1:
		return false, false, mongoerr.New(mongoerr.BadValue, "Cannot include '$natural' in compound sort: %s", spec.Shell())
	}
	n, isNumber := v.AsFloat64()
	if !isNumber {
		return false, false, mongoerr.New(mongoerr.BadValue, "$natural must be 1 or -1, not %s", v.Shell())
	}
	return n < 0, true, nil
}

// Fields returns the fields in their order; they must not be changed.
func (o *Ordering) Fields() []Field { return o.fields }

// Collation returns what orders strings.
func (o *Ordering) Collation() *collation.Collation { return o.by }

// AppendKey appends the document's sort key. Keys of one ordering compare, byte by byte, as the documents sort. Of an array the
// smallest element counts where the first field that reaches it is ascending, the largest where it is descending; an empty one
// is below null, and a missing field is null. Two fields that run into different arrays are an error, BadValue. Only where _id
// alone orders, arrays count as a whole, because in a collection it has none.
func (o *Ordering) AppendKey(dst []byte, doc bsonraw.Doc) ([]byte, error) {
	if len(o.fields) == 1 && o.fields[0].Path == "_id" {
		v := doc.Lookup("_id")
		if v.IsMissing() {
			v = bsonraw.NullValue
		}
		return o.appendTuple(dst, []bsonraw.Value{v}), nil
	}
	walk := o.walks.Get().(*bsonraw.KeyWalk)
	defer o.walks.Put(walk)
	start, first := len(dst), true
	err := walk.Each(doc, func(values []bsonraw.Value) error {
		end := len(dst)
		dst = o.appendTuple(dst, values)
		switch {
		case first:
			first = false
		case bytes.Compare(dst[end:], dst[start:end]) < 0:
			dst = append(dst[:start], dst[end:]...)
		default:
			dst = dst[:end]
		}
		return nil
	})
	if err != nil {
		return dst[:start], keyError(err)
	}
	return dst, nil
}

func (o *Ordering) appendTuple(dst []byte, values []bsonraw.Value) []byte {
	for i, v := range values {
		if o.fields[i].Descending {
			dst = o.by.AppendKeyDescending(dst, v)
		} else {
			dst = o.by.AppendKey(dst, v)
		}
	}
	return append(dst, bsonraw.KeyEnd)
}

func keyError(err error) error {
	if ambiguous, ok := errors.AsType[*bsonraw.AmbiguousFieldError](err); ok {
		return mongoerr.New(codeAmbiguousField, "%s", ambiguous)
	}
	return mongoerr.New(mongoerr.BadValue, "cannot sort with keys that are parallel arrays")
}
