package command

import (
	"fmt"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// validate {validate: <collection>, full, background, metadata} checks what is stored of a collection: documents, and indexes against
// documents; in full also documents against indexes where the numbers agree. It looks at one moment and stops nobody.
// checkBSONConformance, enforceFastCount, scandata and logDiagnostics ask for what is always done. Other arguments are accepted and
// not used.
func validate(op *operation) error {
	name, err := namedCollection(op)
	if err != nil {
		return err
	}
	given := func(name string) bool { return op.body.Lookup(name).Truthy() }
	switch {
	case given("repair"):
		return mongoerr.New(mongoerr.InvalidOptions, "Running the validate command with { repair: true } can only be performed in standalone mode.")
	case given("background") && given("full"):
		return mongoerr.New(mongoerr.InvalidOptions, "Running the validate command with both { background: true } and { full: true } is not supported.")
	case given("metadata") && (given("full") || given("background")):
		return mongoerr.New(mongoerr.InvalidOptions, "Running the validate command with { metadata: true } is not supported with any other options")
	case refuseView(op, op.db, name) != nil:
		return mongoerr.New(mongoerr.CommandNotSupportedOnView, "Cannot validate a view")
	}
	v := validating{op: op, name: name, metadata: given("metadata")}
	return v.run(given("full"), given("background"))
}

// validating is a validate under way.
type validating struct {
	op           *operation
	name         string
	metadata     bool
	rules        *validation // the collection's validator; nil: none
	nonCompliant int64
}

func (v *validating) run(full, background bool) error {
	op := v.op
	c := op.server.store.Catalog().Collection(op.db, v.name)
	if c == nil {
		return v.missing()
	}
	var err error
	if v.rules, err = validationOf(c); err != nil {
		return err
	}
	op.out = bsonraw.AppendString(op.out, "ns", c.NS())
	found := &store.Findings{}
	if !v.metadata {
		if found, err = store.Check(op.ctx, op.server.store, op.db, v.name, full, v.comply); err != nil {
			return err
		}
		if found == nil {
			return v.missing()
		}
		v.appendCounts(found)
	}
	op.out = bsonraw.AppendBool(op.out, "valid", found.Valid())
	op.out = bsonraw.AppendBool(op.out, "repaired", false)
	if background {
		op.out = bsonraw.AppendTimestamp(op.out, "readTimestamp", uint64(found.At))
	}
	v.appendFindings(found)
	return nil
}

func (v *validating) missing() error {
	return mongoerr.New(mongoerr.NamespaceNotFound, "Collection '%s.%s' does not exist to validate.", v.op.db, v.name)
}

// comply counts the documents that the collection's validator would refuse.
func (v *validating) comply(doc bsonraw.Doc) error {
	if v.rules == nil {
		return nil
	}
	ok, err := v.rules.satisfied(v.op, doc)
	if !ok && err == nil {
		v.nonCompliant++
	}
	return err
}

func (v *validating) appendCounts(found *store.Findings) {
	op := v.op
	op.out = bsonraw.AppendValue(op.out, "nInvalidDocuments", numberValue(found.Invalid))
	op.out = bsonraw.AppendValue(op.out, "nNonCompliantDocuments", numberValue(v.nonCompliant))
	op.out = bsonraw.AppendValue(op.out, "nrecords", numberValue(found.Docs))
	keys, at := bsonraw.BeginDoc(nil)
	details, detailsAt := bsonraw.BeginDoc(nil)
	indexes := int32(0)
	for i := range found.Indexes {
		f := &found.Indexes[i]
		if f.Index.Clustered {
			continue
		}
		indexes++
		keys = bsonraw.AppendValue(keys, f.Index.Name, numberValue(f.Keys))
		var one int
		details, one = bsonraw.BeginElem(details, bsonraw.TypeDocument, f.Index.Name)
		details = bsonraw.AppendBool(details, "valid", f.Valid())
		if len(f.Errors) > 0 {
			details = appendTexts(details, "errors", f.Errors)
		}
		details = bsonraw.EndDoc(details, one)
	}
	op.out = bsonraw.AppendInt32(op.out, "nIndexes", indexes)
	op.out = bsonraw.AppendDoc(op.out, "keysPerIndex", bsonraw.EndDoc(keys, at))
	op.out = bsonraw.AppendDoc(op.out, "indexDetails", bsonraw.EndDoc(details, detailsAt))
}

// appendFindings appends what is wrong.
func (v *validating) appendFindings(found *store.Findings) {
	var warnings []string
	if v.nonCompliant > 0 {
		warnings = append(warnings, fmt.Sprintf("%d documents do not satisfy the collection's validator", v.nonCompliant))
	}
	errs := found.Errors
	extra, missing := bsonraw.BeginArray(nil), bsonraw.BeginArray(nil)
	for i := range found.Indexes {
		f := &found.Indexes[i]
		if !f.Valid() {
			errs = append(errs, fmt.Sprintf("the index %s does not agree with the documents", f.Index.Name))
		}
		appendEntries(&extra, f.Index, f.Extra)
		appendEntries(&missing, f.Index, f.Missing)
	}
	out := appendTexts(v.op.out, "warnings", warnings)
	out = appendTexts(out, "errors", errs)
	out = bsonraw.AppendArray(out, "extraIndexEntries", extra.End())
	out = bsonraw.AppendArray(out, "missingIndexEntries", missing.End())
	v.op.out = bsonraw.AppendArray(out, "corruptRecords", bsonraw.Empty)
}

func appendTexts(out []byte, name string, texts []string) []byte {
	list := bsonraw.BeginArray(nil)
	for _, text := range texts {
		list.Append(bsonraw.StringValue(text))
	}
	return bsonraw.AppendArray(out, name, list.End())
}

// appendEntries appends entries of an index: the document's _id, and the key as it is stored.
func appendEntries(list *bsonraw.ArrayBuilder, x *store.Index, entries []store.EntryFinding) {
	for _, e := range entries {
		entry, at := list.Begin(bsonraw.TypeDocument)
		entry = bsonraw.AppendString(entry, "indexName", x.Name)
		entry = bsonraw.AppendValue(entry, "idKey", e.ID)
		entry = bsonraw.AppendBinary(entry, "indexKey", 0, e.Values)
		list.Resume(bsonraw.EndDoc(entry, at))
	}
}
