package filter

import "github.com/sluicestream/sluice/internal/bsonraw"

// condition is one operator on a field: {path: {name: arg}}. all is the document that it stands in.
type condition struct {
	path bsonraw.Path
	name string
	arg  bsonraw.Value
	all  bsonraw.Doc
}

// A fieldOperator or documentOperator reads one operator's argument. It may return nil: there is nothing to test then.
type (
	fieldOperator    func(p *parser, c condition) (*clause, error)
	documentOperator func(p *parser, c condition) (*clause, error)
)

// fieldOperators is the table of what may stand in a field.
var fieldOperators = map[string]fieldOperator{
	"$eq":  parseEq,
	"$ne":  parseNe,
	"$gt":  comparison(Gt),
	"$gte": comparison(Gte),
	"$lt":  comparison(Lt),
	"$lte": comparison(Lte),
	"$in":  parseIn,
	"$nin": parseNin,
	"$not": parseNot,

	"$exists": parseExists,
	"$type":   parseType,
	"$mod":    parseMod,
	"$regex":  parseRegex,
	// $options belongs to the $regex beside it, in whatever order the two stand.
	"$options": parseOptions,

	"$all":       parseAll,
	"$elemMatch": parseElemMatch,
	"$size":      parseSize,

	"$bitsAllSet":   bitTest(true, true),
	"$bitsAllClear": bitTest(true, false),
	"$bitsAnySet":   bitTest(false, true),
	"$bitsAnyClear": bitTest(false, false),

	"$where":         refuseWhereInField,
	"$geoWithin":     refuseGeo,
	"$within":        refuseGeo,
	"$geoIntersects": refuseGeo,
	"$near":          refuseNear,
	"$nearSphere":    refuseNear,
	"$geoNear":       refuseNear,
}

// documentOperators is the table of what may stand in no field.
var documentOperators = map[string]documentOperator{
	"$and": logical(opAnd),
	"$or":  logical(opOr),
	"$nor": logical(opNor),

	"$expr":        parseExpr,
	"$comment":     parseComment,
	"$sampleRate":  parseSampleRate,
	"$alwaysTrue":  always(opTrue),
	"$alwaysFalse": always(opFalse),

	"$where":      refuseWhere,
	"$text":       refuseText,
	"$jsonSchema": parseSchema,
}
