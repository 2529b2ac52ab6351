package command

import (
	"log/slog"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/store"
)

// The options of a collection that say which documents it may have.
const (
	validatorOption        = "validator"
	validationLevelOption  = "validationLevel"
	validationActionOption = "validationAction"
)

// validation is how a collection's documents are held to its validator.
type validation struct {
	filter   *filter.Filter
	moderate bool // documents that do not satisfy it may be changed into others that do not
	warn     bool // writes are logged, not refused
}

// validationOf returns how documents of a collection are checked, nil if they are not. It is made once for each version of the
// collection's options.
func validationOf(c *store.Collection) (*validation, error) {
	type made struct {
		v   *validation
		err error
	}
	m, _ := c.Memo.Do(func() any {
		v, err := newValidation(c)
		return made{v, err}
	}).(made)
	return m.v, m.err
}

func newValidation(c *store.Collection) (*validation, error) {
	spec := c.Options.Lookup(validatorOption)
	level := c.Options.Lookup(validationLevelOption).Str()
	if spec.Type != bsonraw.TypeDocument || spec.Doc().IsEmpty() || level == "off" {
		return nil, nil
	}
	f, err := compileValidator(spec.Doc(), c.Options)
	if err != nil {
		return nil, err
	}
	return &validation{filter: f, moderate: level == "moderate", warn: c.Options.Lookup(validationActionOption).Str() == "warn"}, nil
}

// compileValidator compiles a validator under the collation among a collection's options.
func compileValidator(spec, options bsonraw.Doc) (*filter.Filter, error) {
	by, err := optionCollation(options)
	if err != nil {
		return nil, err
	}
	var scope *expression.Scope
	return filter.Compile(spec, filter.Options{Scope: scope.WithCollation(by), Validator: true})
}

// checkInserted refuses a new document that does not satisfy the collection's validator, with the code
// DocumentValidationFailure.
func checkInserted(op *operation, c *store.Collection, doc bsonraw.Doc) error {
	v, err := validationOf(c)
	if v == nil || err != nil {
		return err
	}
	return v.check(op, c, doc)
}

// checkUpdated is checkInserted for a document that becomes another.
func checkUpdated(op *operation, c *store.Collection, old, doc bsonraw.Doc) error {
	v, err := validationOf(c)
	if v == nil || err != nil {
		return err
	}
	if v.moderate {
		if ok, err := v.satisfied(op, old); !ok || err != nil {
			return err
		}
	}
	return v.check(op, c, doc)
}

// satisfied reports whether a document satisfies the validator: one on which the validator fails does not. The error is that of an
// operation that ended meanwhile.
func (v *validation) satisfied(op *operation, doc bsonraw.Doc) (bool, error) {
	if !v.filter.IsSlow() {
		ok, err := v.filter.Match(doc)
		return ok && err == nil, nil
	}
	ok, err := v.filter.MatchWith(evaluation(op), doc)
	if op.ctx.Err() != nil {
		return false, contextError(op.ctx)
	}
	return ok && err == nil, nil
}

func (v *validation) check(op *operation, c *store.Collection, doc bsonraw.Doc) error {
	if ok, err := v.satisfied(op, doc); ok || err != nil {
		return err
	}
	if v.warn { // without what is in it: a log is no place for that
		op.server.cfg.Logger.Warn("document would fail validation", slog.String("namespace", c.NS()), slog.String("_id", doc.Lookup("_id").Shell()))
		return nil
	}
	info, at := bsonraw.BeginElem(nil, bsonraw.TypeDocument, "errInfo")
	info = bsonraw.AppendValue(info, "failingDocumentId", doc.Lookup("_id"))
	info = bsonraw.EndDoc(v.filter.AppendViolation(info, evaluation(op), doc), at)
	if op.ctx.Err() != nil {
		return contextError(op.ctx)
	}
	return mongoerr.New(mongoerr.DocumentValidationFailure, "Document failed validation").WithExtra(info)
}

// validationChange is what create and collMod say of validation.
type validationChange struct {
	validator     bsonraw.Doc // nil: not given
	level, action string      // empty: not given
}

// parse reads an argument that is about validation; ok is false for others.
func (v *validationChange) parse(name string, a argument) (ok bool, err error) {
	switch name {
	case validatorOption:
		return true, a.doc(&v.validator)
	case validationLevelOption:
		return true, a.oneOf(&v.level, "off", "strict", "moderate")
	case validationActionOption:
		return true, a.oneOf(&v.action, "error", "warn")
	}
	return false, nil
}

// oneOf reads one of several words.
func (a argument) oneOf(to *string, words ...string) error {
	if err := a.str(to); err != nil {
		return err
	}
	if slices.Contains(words, *to) {
		return nil
	}
	return mongoerr.New(mongoerr.BadValue, "Enumeration value '%s' for field '%s.%s' is not a valid value.", *to, a.op.cmd.name, a.name)
}

func (v *validationChange) given() bool { return v.validator != nil || v.level != "" || v.action != "" }

// check refuses a validator that cannot be read, or where there may be none. options are those of the collection.
func (v *validationChange) check(db, coll string, options bsonraw.Doc) error {
	if v.validator == nil || v.validator.IsEmpty() {
		return nil
	}
	switch db {
	case "admin", "config", "local":
		return mongoerr.New(mongoerr.InvalidOptions, "Document validators are not allowed on collection %s.%s in the %s internal database", db, coll, db)
	}
	_, err := compileValidator(v.validator, options)
	return err
}

// created returns the options of a new collection with what is said of validation.
func (v *validationChange) created(options bsonraw.Doc) bsonraw.Doc {
	if v.validator != nil && !v.validator.IsEmpty() {
		options = withOption(options, validatorOption, documentValue(v.validator))
	}
	if v.level != "" {
		options = withOption(options, validationLevelOption, bsonraw.StringValue(v.level))
	}
	if v.action != "" {
		options = withOption(options, validationActionOption, bsonraw.StringValue(v.action))
	}
	return options
}

// changed returns a collection's options with what a collMod says: afterwards they have a level and an action.
func (v *validationChange) changed(options bsonraw.Doc) bsonraw.Doc {
	if v.validator != nil && v.validator.IsEmpty() {
		options = withOption(options, validatorOption, bsonraw.Value{})
	}
	with := *v
	if with.level == "" && options.Lookup(validationLevelOption).IsMissing() {
		with.level = "strict"
	}
	if with.action == "" && options.Lookup(validationActionOption).IsMissing() {
		with.action = "error"
	}
	return with.created(options)
}

// append appends the arguments as they were given.
func (v *validationChange) append(dst []byte) []byte {
	if v.validator != nil {
		dst = bsonraw.AppendDoc(dst, validatorOption, v.validator)
	}
	if v.level != "" {
		dst = bsonraw.AppendString(dst, validationLevelOption, v.level)
	}
	if v.action != "" {
		dst = bsonraw.AppendString(dst, validationActionOption, v.action)
	}
	return dst
}
