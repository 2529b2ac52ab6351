// Package aggregation runs pipelines: those of aggregate, and find as the pipeline of filter, sort, skip, limit and projection
// that it is.
//
// [Compile] reads the stages by a table (table.go) that says of each where it may stand and how it is compiled; each stage is a
// file. [Pipeline.Run] puts the stages behind a [Source] of documents; [Pipeline.Apply] runs a pipeline that treats each
// document by itself, as those of change streams do. Documents are BSON bytes all the way.
//
// Stages that read something other than the documents before them ($changeStream, $collStats and the like) are known here by
// name only: the caller looks at the first stage with [FirstStage] and is the source itself.
package aggregation
