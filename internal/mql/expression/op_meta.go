package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// metadata holds what $meta may be asked for, and what MongoDB calls it where there is none and that is an error; the others have no value.
// There are no text indexes, no geospatial queries and no search here, so there never is any.
var metadata = map[string]string{
	"textScore":               "text score",
	"geoNearDistance":         "$geoNear distance",
	"geoNearPoint":            "$geoNear point",
	"randVal":                 "",
	"searchScore":             "",
	"searchHighlights":        "",
	"searchScoreDetails":      "",
	"indexKey":                "",
	"timeseriesBucketMinTime": "",
	"timeseriesBucketMaxTime": "",
}

// compileMeta reads $meta.
func compileMeta(_ *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeString {
		return nil, mongoerr.New(17307, "%s only supports string arguments", name)
	}
	what := argument.Str()
	called, known := metadata[what]
	switch {
	case what == "sortKey" || what == "recordId":
		return nil, mongoerr.New(mongoerr.CommandNotSupported, "%s: %s is not supported by this server", name, what)
	case !known:
		return nil, mongoerr.New(17308, "Unsupported argument to %s: %s", name, what)
	case called != "":
		return nil, mongoerr.New(40218, "query requires %s metadata, but it is not available", called)
	}
	return &noMetadata{}, nil
}

// noMetadata is metadata that no document has. It is not known before a document comes.
type noMetadata struct{ late }

func (*noMetadata) eval(*Context) (bsonraw.Value, error) { return bsonraw.Value{}, nil }
func (*noMetadata) children(func(*node))                 {}

// unavailable is a variable that only some commands have.
type unavailable struct {
	late
	name string
}

func (n *unavailable) eval(*Context) (bsonraw.Value, error) {
	return bsonraw.Value{}, mongoerr.New(51144, "Builtin variable '$$%s' is not available", n.name)
}

func (*unavailable) children(func(*node)) {}
