package aggregation

import (
	"context"
	"io"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// out is $out: what comes out of the pipeline becomes the content of a collection.
type out struct {
	env Environment
	to  Namespace
}

func compileOut(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	s := &out{env: c.opts.Environment, to: Namespace{DB: c.opts.DB}}
	switch spec.Type {
	case bsonraw.TypeString:
		s.to.Coll = spec.Str()
	case bsonraw.TypeDocument:
		if err := s.parse(name, spec.Doc()); err != nil {
			return nil, err
		}
	default:
		return nil, mongoerr.New(16990, "%s only supports a string or object argument, but found %s", name, spec.Type.Name())
	}
	switch {
	case c.opts.Transaction:
		return nil, errWritesInTransaction(name)
	case s.to.Coll == "" || s.to.DB == "":
		return nil, mongoerr.New(mongoerr.InvalidNamespace, "Invalid %s target namespace, %s", name, s.to)
	case s.to.DB != c.opts.DB && internalDatabase(s.to.DB):
		return nil, mongoerr.New(31321, "Can't %s to internal database: %s", name, s.to.DB)
	case strings.HasPrefix(s.to.Coll, "system."):
		return nil, mongoerr.New(17385, "Can't %s to special collection: %s", name, s.to.Coll)
	}
	return s, checkTarget(s.to)
}

func (s *out) parse(name string, spec bsonraw.Doc) error {
	once := argument.NewOnce(name, spec)
	var hasDB, hasColl bool
	for it := spec.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		v := it.Value()
		switch string(it.Key()) {
		case "db":
			hasDB, s.to.DB = true, v.Str()
		case "coll":
			hasColl, s.to.Coll = true, v.Str()
		case "timeseries":
			return mongoerr.New(mongoerr.CommandNotSupported, "%s: writing to a time-series collection is not supported by this server", name)
		default:
			return mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", name, it.Key())
		}
		if v.Type != bsonraw.TypeString {
			return errFieldType(name, it.Key(), v, "string")
		}
	}
	var missing string
	switch {
	case !hasColl:
		missing = "coll"
	case !hasDB:
		missing = "db"
	default:
		return nil
	}
	return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.%s' is missing but a required field", name, missing)
}

func internalDatabase(db string) bool { return db == "admin" || db == "config" || db == "local" }

// checkTarget refuses names that no collection can have.
func checkTarget(ns Namespace) error {
	switch {
	case strings.ContainsAny(ns.DB, "/\\. \"$\x00"):
		return mongoerr.New(mongoerr.InvalidNamespace, "invalid character in the database name: %s", ns.DB)
	case ns.Coll[0] == '.':
		return mongoerr.New(mongoerr.InvalidNamespace, "Collection names cannot start with '.': %s", ns.Coll)
	case strings.ContainsRune(ns.Coll, 0):
		return mongoerr.New(mongoerr.InvalidNamespace, "namespaces cannot have embedded null characters")
	}
	return nil
}

func (s *out) name() string    { return "$out" }
func (s *out) optimize() error { return nil }

func (s *out) start(src Source, _ frame) Source {
	return &written{write: func(ctx context.Context) error { return s.env.Replace(ctx, s.to, &settled{src: src}) }}
}

// written writes at the first Next and gives nothing.
type written struct {
	write func(context.Context) error
	done  bool
}

func (s *written) Next(ctx context.Context) (bsonraw.Doc, error) {
	if !s.done {
		s.done = true
		if err := s.write(ctx); err != nil {
			return nil, err
		}
	}
	return nil, io.EOF
}
