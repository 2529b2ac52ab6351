package aggregation

import "github.com/sluicestream/sluice/internal/bsonraw"

// definition says how a stage is compiled and where it may stand.
type definition struct {
	// compile is nil for a source, which is run by the caller of Compile, and for a stage that there is not yet.
	compile func(c *compiler, name string, spec bsonraw.Value) (stage, error)
	// position is where in a pipeline the stage may stand.
	position position
	// changeStream tells that the stage may follow $changeStream.
	changeStream bool
}

type position uint8

const (
	anywhere position = iota
	first
	last
)

// stages is the table of the stages, those of MongoDB 7.0 that there are not yet included: they have no compile function.
var stages = map[string]definition{
	"$match":       {compile: compileMatch, changeStream: true},
	"$project":     {compile: compileProject, changeStream: true},
	"$addFields":   {compile: compileAddFields, changeStream: true},
	"$set":         {compile: compileAddFields, changeStream: true},
	"$unset":       {compile: compileUnset, changeStream: true},
	"$replaceRoot": {compile: compileReplaceRoot, changeStream: true},
	"$replaceWith": {compile: compileReplaceWith, changeStream: true},
	"$redact":      {compile: compileRedact, changeStream: true},

	"$sort":  {compile: compileSort},
	"$limit": {compile: compileLimit},
	"$skip":  {compile: compileSkip},
	"$count": {compile: compileCount},

	"$changeStreamSplitLargeEvent": {compile: compileSplitLargeEvent, changeStream: true},

	"$changeStream":      {position: first},
	"$collStats":         {position: first},
	"$currentOp":         {position: first},
	"$documents":         {position: first},
	"$geoNear":           {position: first},
	"$indexStats":        {position: first},
	"$listLocalSessions": {position: first},
	"$listSessions":      {position: first},
	"$planCacheStats":    {position: first},

	"$merge": {position: last},
	"$out":   {position: last},

	"$bucket":          {},
	"$bucketAuto":      {},
	"$densify":         {},
	"$facet":           {},
	"$fill":            {},
	"$graphLookup":     {},
	"$group":           {compile: compileGroup},
	"$lookup":          {},
	"$sample":          {},
	"$setWindowFields": {},
	"$sortByCount":     {},
	"$unionWith":       {},
	"$unwind":          {},
}
