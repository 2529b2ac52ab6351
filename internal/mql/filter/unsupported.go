package filter

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// What MongoDB has and this engine has not is refused by name. Arguments are checked no further than to give the errors that a
// collection without text and geospatial indexes gives.

func refuseWhere(p *parser, c condition) (*clause, error) {
	if p.inner {
		return nil, badValue("$where can only be applied to the top-level document")
	}
	if p.validator {
		return nil, badValue("$where is not allowed in this context")
	}
	switch c.arg.Type {
	case bsonraw.TypeString, bsonraw.TypeJavaScript, bsonraw.TypeCodeScope:
		return nil, mongoerr.New(mongoerr.CommandNotSupported, "$where is not supported: this server does not run JavaScript. Use $expr.")
	}
	return nil, badValue("$where got bad type")
}

func refuseWhereInField(*parser, condition) (*clause, error) {
	return nil, badValue("$where cannot be applied to a field")
}

func refuseText(p *parser, c condition) (*clause, error) {
	switch {
	case p.inner:
		return nil, badValue("$text can only be applied to the top-level document")
	case !c.arg.IsDoc():
		return nil, badValue("$text expects an object")
	case p.validator:
		return nil, badValue("$text is not allowed in this context")
	}
	return nil, mongoerr.New(mongoerr.IndexNotFound, "text index required for $text query: this server keeps the specifications of text indexes and does not search")
}

func refuseGeo(_ *parser, c condition) (*clause, error) {
	if c.arg.Type != bsonraw.TypeDocument && c.arg.Type != bsonraw.TypeArray {
		return nil, badValue("geometry must be an object")
	}
	return nil, mongoerr.New(mongoerr.CommandNotSupported, "%s is not supported: this server has no geospatial queries", c.name)
}

func refuseNear(p *parser, c condition) (*clause, error) {
	if p.validator {
		return nil, mongoerr.New(5626500, "$geoNear, $near, and $nearSphere are not allowed in this context")
	}
	if c.arg.Type != bsonraw.TypeDocument && c.arg.Type != bsonraw.TypeArray {
		return nil, badValue("near must be first in: %s", c.all.Shell())
	}
	return nil, mongoerr.New(mongoerr.NoQueryExecutionPlans, "unable to find index for $geoNear query")
}
