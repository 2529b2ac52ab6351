package changestream

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// image is which document an event shows beside what the oplog entry holds.
type image uint8

const (
	imageOff image = iota
	imageLookup
	imageWhenAvailable
	imageRequired
)

// Spec is a $changeStream stage that was read and checked.
type Spec struct {
	target Target
	scope  scope
	form   form

	fullDocument       image
	beforeChange       image
	start              *Token // where resumeAfter or startAfter says
	startDoc           bsonraw.Doc
	startAt            oplog.Timestamp // startAtOperationTime, when hasStartAt
	hasStartAt         bool
	resumesInvalidated bool // startAfter: the token may be an invalidate's
}

// options are the stage's fields as they stand in it.
type options struct {
	spec                    *Spec
	resumeAfter, startAfter bsonraw.Doc
	allChanges              bool
}

// Parse reads the argument of a $changeStream stage for a target. All checks that need neither the oplog nor the other stages
// are made here, in MongoDB's order and with its codes.
func Parse(arg bsonraw.Value, target Target) (*Spec, error) {
	if !arg.IsDoc() {
		return nil, mongoerr.New(6188500, "$changeStream must take a nested object but found: $changeStream: %s", arg.Shell())
	}
	o := options{spec: &Spec{target: target, scope: newScope(target)}}
	seen := map[string]bool{}
	for it := arg.Doc().Iter(); it.Next(); {
		name := string(it.Key())
		if seen[name] {
			return nil, mongoerr.New(mongoerr.IDLDuplicateField, "BSON field '$changeStream.%s' is a duplicate field", name)
		}
		seen[name] = true
		if err := o.set(name, it.Value()); err != nil {
			return nil, err
		}
	}
	if err := o.checkTarget(); err != nil {
		return nil, err
	}
	if err := o.setStart(); err != nil {
		return nil, err
	}
	o.spec.scope.views = o.spec.form&formExpanded != 0
	return o.spec, nil
}

// Namespace returns the namespace of the stream's cursor.
func (s *Spec) Namespace() string { return s.target.Namespace() }

func (o *options) set(name string, v bsonraw.Value) (err error) {
	s := o.spec
	switch name {
	case "fullDocument":
		s.fullDocument, err = imageOption(name, v, fullDocumentModes)
	case "fullDocumentBeforeChange":
		s.beforeChange, err = imageOption(name, v, beforeChangeModes)
	case "resumeAfter":
		o.resumeAfter, err = tokenOption(name, v)
	case "startAfter":
		o.startAfter, err = tokenOption(name, v)
	case "startAtOperationTime":
		if v.Type == bsonraw.TypeNull {
			return nil
		}
		if v.Type != bsonraw.TypeTimestamp {
			return wrongType(name, v, "timestamp")
		}
		s.startAt, s.hasStartAt = oplog.Timestamp(v.Int64()), true
	case "allChangesForCluster":
		o.allChanges, err = boolOption(name, v)
	case "showExpandedEvents":
		err = s.formOption(name, v, formExpanded)
	case "showRawUpdateDescription":
		err = s.formOption(name, v, formRawUpdate)
	case "showSystemEvents":
		s.scope.system, err = boolOption(name, v)
	case "showMigrationEvents": // chunks do not migrate here
		_, err = boolOption(name, v)
	default:
		err = mongoerr.New(mongoerr.IDLUnknownField, "BSON field '$changeStream.%s' is an unknown field.", name)
	}
	return err
}

func (s *Spec) formOption(name string, v bsonraw.Value, f form) error {
	on, err := boolOption(name, v)
	if s.form &^= f; on {
		s.form |= f
	}
	return err
}

func wrongType(name string, v bsonraw.Value, want string) error {
	return mongoerr.New(mongoerr.TypeMismatch, "BSON field '$changeStream.%s' is the wrong type '%s', expected type '%s'", name, v.Type.Name(), want)
}

func boolOption(name string, v bsonraw.Value) (bool, error) {
	if v.Type != bsonraw.TypeBool {
		return false, mongoerr.New(mongoerr.TypeMismatch, "Field '%s' should be a boolean value, but found: %s", name, v.Type.Name())
	}
	return v.Bool(), nil
}

var (
	fullDocumentModes = map[string]image{"default": imageOff, "updateLookup": imageLookup, "whenAvailable": imageWhenAvailable, "required": imageRequired}
	beforeChangeModes = map[string]image{"off": imageOff, "whenAvailable": imageWhenAvailable, "required": imageRequired}
)

func imageOption(name string, v bsonraw.Value, modes map[string]image) (image, error) {
	if v.Type == bsonraw.TypeNull {
		return imageOff, nil
	}
	if v.Type != bsonraw.TypeString {
		return imageOff, wrongType(name, v, "string")
	}
	mode, ok := modes[v.Str()]
	if !ok {
		return imageOff, mongoerr.New(mongoerr.BadValue, "Enumeration value '%s' for field '$changeStream.%s' is not a valid value.", v.Bytes(), name)
	}
	return mode, nil
}

func tokenOption(name string, v bsonraw.Value) (bsonraw.Doc, error) {
	if v.Type == bsonraw.TypeNull {
		return nil, nil
	}
	if !v.IsDoc() {
		return nil, wrongType(name, v, "object")
	}
	return v.Doc(), checkTokenShape(v.Doc())
}

func (o *options) checkTarget() error {
	t := o.spec.target
	if o.allChanges && o.spec.scope.kind != scopeCluster {
		return mongoerr.New(mongoerr.InvalidOptions, "A $changeStream with 'allChangesForCluster:true' may only be opened on the 'admin' database, "+
			"and with no collection name; found %s", t.Namespace())
	}
	if internalDatabase([]byte(t.DB)) && !o.allChanges {
		return mongoerr.New(mongoerr.InvalidNamespace, "$changeStream may not be opened on the internal %s database", t.DB)
	}
	if len(t.Coll) >= len(systemPrefix) && t.Coll[:len(systemPrefix)] == string(systemPrefix) {
		return mongoerr.New(mongoerr.InvalidNamespace, "$changeStream may not be opened on the internal %s collection", t.Namespace())
	}
	return nil
}

// setStart reads the token, if one is given, and checks that it goes with the other options.
func (o *options) setStart() error {
	s := o.spec
	if o.resumeAfter != nil && o.startAfter != nil {
		return mongoerr.New(50865, "Do not specify both 'resumeAfter' and 'startAfter' in a $changeStream stage")
	}
	doc := o.resumeAfter
	if s.resumesInvalidated = o.startAfter != nil; s.resumesInvalidated {
		doc = o.startAfter
	}
	if doc == nil {
		return nil
	}
	token, err := decodeToken(doc)
	switch {
	case err != nil:
		return err
	case s.hasStartAt:
		return mongoerr.New(40674, "Only one type of resume option is allowed, but multiple were found")
	case token.FromInvalidate && !s.resumesInvalidated:
		return mongoerr.New(mongoerr.InvalidResumeToken, "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification")
	case s.scope.kind == scopeCollection && !token.HighWaterMark && !token.HasUUID:
		return mongoerr.New(mongoerr.InvalidResumeToken, "Attempted to resume a single-collection stream, but the resume token does not include a UUID")
	}
	// The stage's bytes belong to the message, which does not live as long.
	s.start, s.startDoc = &token, doc.Clone()
	return nil
}
