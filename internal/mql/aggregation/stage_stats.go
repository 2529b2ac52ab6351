package aggregation

import (
	"context"
	"io"
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// Statistics says what a stage asks about its collection: $indexStats for a document for each index, $collStats for one document
// with sections.
type Statistics struct {
	Indexes bool // $indexStats; the sections are for $collStats

	Count, QueryExec    bool
	Latency, Histograms bool
	Storage             bool
	Scale               int64 // by which sizes are divided
}

// statistics is $collStats and $indexStats.
type statistics struct {
	stageName string
	env       Environment
	ns        Namespace
	of        Statistics
}

func compileIndexStats(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument || !spec.Doc().IsEmpty() {
		return nil, mongoerr.New(28803, "The %s stage specification must be an empty object", name)
	}
	s := newStatistics(c, name)
	s.of.Indexes = true
	return s, nil
}

func newStatistics(c *compiler, name string) *statistics {
	return &statistics{stageName: name, env: c.opts.Environment, ns: Namespace{c.opts.DB, c.opts.Coll}, of: Statistics{Scale: 1}}
}

func compileCollStats(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(5447000, "%s must take a nested object but found: %s: %s", name, name, spec.Shell())
	}
	once := argument.NewOnce(name, spec.Doc())
	s := newStatistics(c, name)
	for it := spec.Doc().Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return nil, err
		}
		if it.Value().Type == bsonraw.TypeNull {
			continue
		}
		if err := s.of.section(name, it.Key(), it.Value()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (st *Statistics) section(stage string, field []byte, v bsonraw.Value) error {
	switch string(field) {
	case "count", "queryExecStats", "latencyStats", "storageStats":
	default:
		return mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", stage, field)
	}
	if v.Type != bsonraw.TypeDocument {
		return errFieldType(stage, field, v, "object")
	}
	switch string(field) {
	case "count":
		st.Count = true
		return checkNoOptions(v)
	case "queryExecStats":
		st.QueryExec = true
		return checkNoOptions(v)
	case "latencyStats":
		st.Latency = true
		return st.latencyOptions(stage, v.Doc())
	default:
		st.Storage = true
		return st.storageOptions(stage, v.Doc())
	}
}

func checkNoOptions(v bsonraw.Value) error {
	if !v.Doc().IsEmpty() {
		return mongoerr.New(31170, "expected an empty object, but got %s", v.Shell())
	}
	return nil
}

func (st *Statistics) latencyOptions(stage string, options bsonraw.Doc) error {
	for it := options.Iter(); it.Next(); {
		switch v := it.Value(); {
		case string(it.Key()) != "histograms":
			return mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.latencyStats.%s' is an unknown field.", stage, it.Key())
		case v.Type != bsonraw.TypeBool:
			return mongoerr.New(mongoerr.TypeMismatch, "Field 'histograms' should be a boolean value, but found: %s", v.Type.Name())
		default:
			st.Histograms = v.Bool()
		}
	}
	return nil
}

// storageOptions reads the scale; other options are for storage that is not here, and ignored as MongoDB does.
func (st *Statistics) storageOptions(stage string, options bsonraw.Doc) error {
	v := options.Lookup("scale")
	if v.IsMissing() || v.Type == bsonraw.TypeNull {
		return nil
	}
	if !v.Type.IsNumber() {
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.storageStats.scale' is the wrong type '%s', expected types '[long, int, decimal, double']",
			stage, v.Type.Name())
	}
	n, ok := v.AsInt64()
	if !ok {
		n = math.MaxInt64
	}
	if n < 1 {
		return mongoerr.New(51024, "BSON field 'scale' value must be >= 1, actual value '%d'", n)
	}
	st.Scale = n
	return nil
}

func (s *statistics) name() string    { return s.stageName }
func (s *statistics) optimize() error { return nil }

func (s *statistics) open(frame) Source { return &statisticsGiven{statistics: s} }

// statisticsGiven asks at the first Next.
type statisticsGiven struct {
	*statistics
	asked bool
	rest  []bsonraw.Doc
}

func (s *statisticsGiven) Next(context.Context) (bsonraw.Doc, error) {
	if !s.asked {
		s.asked = true
		var err error
		if s.rest, err = s.env.Statistics(s.ns, &s.of); err != nil {
			return nil, err
		}
	}
	if len(s.rest) == 0 {
		return nil, io.EOF
	}
	doc := s.rest[0]
	s.rest = s.rest[1:]
	return doc, nil
}
