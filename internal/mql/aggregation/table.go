package aggregation

import "github.com/sluicestream/sluice/internal/bsonraw"

// definition says how a stage is compiled and where it may stand.
type definition struct {
	// compile is nil for a source, which is run by the caller of Compile, and for a stage that there is not yet.
	compile func(c *compiler, name string, spec bsonraw.Value) (stage, error)
	// expand takes the place of compile for a stage that is written in terms of others.
	expand func(c *compiler, spec bsonraw.Value) ([]stage, error)
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

// stages is the table of the stages, those of MongoDB 7.0 that there are not yet included: they have no compile function. It is
// filled when the program starts, because stages hold pipelines of stages.
var stages map[string]definition

func init() { stages = newTable() } //nolint:gochecknoinits // the table and the stages that compile pipelines refer to each other

func newTable() map[string]definition {
	return map[string]definition{
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

		"$changeStream":      {position: first, changeStream: true},
		"$collStats":         {compile: compileCollStats, position: first},
		"$currentOp":         {compile: compileCurrentOp, position: first},
		"$documents":         {compile: compileDocuments, position: first},
		"$geoNear":           {position: first},
		"$indexStats":        {compile: compileIndexStats, position: first},
		"$listLocalSessions": {compile: compileListLocalSessions, position: first},
		"$listSearchIndexes": {position: first},
		"$listSessions":      {compile: compileListSessions, position: first},
		"$planCacheStats":    {position: first},
		"$search":            {position: first},
		"$searchMeta":        {position: first},
		"$vectorSearch":      {position: first},

		"$merge": {compile: compileMerge, position: last},
		"$out":   {compile: compileOut, position: last},

		"$bucket":          {expand: compileBucket},
		"$bucketAuto":      {compile: compileBucketAuto},
		"$densify":         {},
		"$facet":           {compile: compileFacet},
		"$fill":            {},
		"$graphLookup":     {},
		"$group":           {compile: compileGroup},
		"$lookup":          {compile: compileLookup},
		"$sample":          {compile: compileSample},
		"$setWindowFields": {},
		"$sortByCount":     {expand: compileSortByCount},
		"$unionWith":       {compile: compileUnion},
		"$unwind":          {compile: compileUnwind},
	}
}
