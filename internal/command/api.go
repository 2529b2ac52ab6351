package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// api is the Stable API that a client declares: what it promises to use, and wants to be told when it does not.
type api struct {
	version           string // "1", or empty
	strict            bool   // only what belongs to the version
	deprecationErrors bool   // nothing that the version is going to lose: version 1 has nothing of that kind
	given             bool   // apiStrict or apiDeprecationErrors
}

func (a *api) parse(name string, v bsonraw.Value) error {
	if v.Type == bsonraw.TypeNull {
		return nil
	}
	field := "APIParametersFromClient." + name
	if name == "apiVersion" {
		if v.Type != bsonraw.TypeString {
			return wrongType(field, v, "string")
		}
		if a.version = v.Str(); a.version != "1" {
			return mongoerr.New(mongoerr.APIVersionError, "Cannot accept API version %s", a.version)
		}
		return nil
	}
	if v.Type != bsonraw.TypeBool {
		return wrongType(field, v, "bool")
	}
	a.given = true
	if name == "apiStrict" {
		a.strict = v.Bool()
	} else {
		a.deprecationErrors = v.Bool()
	}
	return nil
}

// check refuses a command that its client has promised not to use.
func (a *api) check(op *operation) error {
	if a.given && a.version == "" {
		return mongoerr.New(4886600, "Provided apiStrict and/or apiDeprecationErrors without passing apiVersion")
	}
	if a.deprecationErrors && op.cmd.name == "testDeprecation" {
		return mongoerr.New(mongoerr.APIDeprecationError, "Provided apiDeprecationErrors:true, but the command %s is deprecated in API Version 1", op.cmd.name)
	}
	if a.strict && !stableCommands[op.cmd.name] {
		return mongoerr.New(mongoerr.APIStrictError, "Provided apiStrict:true, but the command %s is not in API Version 1", op.cmd.name)
	}
	if !a.strict {
		return nil
	}
	for it := op.body.Iter(); it.Next(); {
		if unstableArguments[op.cmd.name+"."+string(it.Key())] {
			return mongoerr.New(mongoerr.APIStrictError, "BSON field '%s.%s' is not allowed with apiStrict:true.", op.cmd.name, it.Key())
		}
	}
	if op.cmd.name == "aggregate" {
		return checkStableStages(op.body.Lookup("pipeline"))
	}
	return nil
}

// stableCommands are the commands of version 1.
var stableCommands = map[string]bool{
	"abortTransaction": true, "aggregate": true, "authenticate": true, "collMod": true, "commitTransaction": true, "count": true,
	"create": true, "createIndexes": true, "delete": true, "drop": true, "dropDatabase": true, "dropIndexes": true,
	"endSessions": true, "explain": true, "find": true, "findAndModify": true, "getMore": true, "hello": true, "insert": true,
	"killCursors": true, "listCollections": true, "listDatabases": true, "listIndexes": true, "ping": true,
	"refreshSessions": true, "saslContinue": true, "saslStart": true, "testDeprecation": true, "update": true,
}

// unstableArguments are arguments that stable commands have and version 1 has not.
var unstableArguments = map[string]bool{
	"find.awaitData": true, "find.max": true, "find.min": true, "find.noCursorTimeout": true, "find.oplogReplay": true,
	"find.readOnce": true, "find.returnKey": true, "find.showRecordId": true, "find.tailable": true, "find.term": true,
	"find.$_requestResumeToken": true, "find.$_resumeAfter": true,
	"create.autoIndexId": true, "create.capped": true, "create.indexOptionDefaults": true, "create.max": true, "create.size": true,
	"create.storageEngine": true,
	"aggregate.exchange":   true, "listCollections.includePendingDrops": true, "listIndexes.includeBuildUUIDs": true,
}

// unstableStages are the stages that version 1 has not. Of $collStats it has the count.
var unstableStages = map[string]bool{
	"$changeStreamSplitLargeEvent": true, "$currentOp": true, "$indexStats": true, "$listLocalSessions": true, "$listSessions": true, "$planCacheStats": true, "$search": true,
}

// unstableStreamOptions are the options of $changeStream that version 1 has not, whatever their values.
var unstableStreamOptions = []string{"showExpandedEvents", "showRawUpdateDescription", "showSystemEvents"}

func checkStableStages(pipeline bsonraw.Value) error {
	if pipeline.Type != bsonraw.TypeArray {
		return nil // the command itself says so
	}
	for it := pipeline.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			continue
		}
		stage := it.Value().Doc().Iter()
		if !stage.Next() {
			continue
		}
		if err := checkStableStage(string(stage.Key()), stage.Value()); err != nil {
			return err
		}
	}
	return nil
}

// checkStableStage looks at a stage and the pipelines within it.
func checkStableStage(name string, spec bsonraw.Value) error {
	if unstableStages[name] {
		return mongoerr.New(mongoerr.APIStrictError, "%s is not allowed with 'apiStrict: true' in API Version 1", name)
	}
	if spec.Type != bsonraw.TypeDocument {
		return nil
	}
	switch name {
	case "$changeStream":
		for _, option := range unstableStreamOptions {
			if !spec.Doc().Lookup(option).IsMissing() {
				return mongoerr.New(mongoerr.APIStrictError, "$changeStream parameter '%s' is not in API Version 1", option)
			}
		}
	case "$collStats":
		for it := spec.Doc().Iter(); it.Next(); {
			if string(it.Key()) != "count" {
				return mongoerr.New(mongoerr.APIStrictError, "only the 'count' option to $collStats is supported in API Version 1")
			}
		}
	case "$lookup", "$unionWith":
		return checkStableStages(spec.Doc().Lookup("pipeline"))
	case "$facet":
		for it := spec.Doc().Iter(); it.Next(); {
			if err := checkStableStages(it.Value()); err != nil {
				return err
			}
		}
	}
	return nil
}

// parameters renders what the client declared, for messages.
func (a *api) parameters() string {
	out, at := bsonraw.BeginDoc(nil)
	return bsonraw.Value{Type: bsonraw.TypeDocument, Data: bsonraw.EndDoc(a.appendTo(out), at)}.Shell()
}

// appendTo appends what the client declared.
func (a *api) appendTo(out []byte) []byte {
	if a.version != "" {
		out = bsonraw.AppendString(out, "apiVersion", a.version)
	}
	if a.strict {
		out = bsonraw.AppendBool(out, "apiStrict", true)
	}
	if a.deprecationErrors {
		out = bsonraw.AppendBool(out, "apiDeprecationErrors", true)
	}
	return out
}

// sameAs reports whether two commands declared the same.
func (a *api) sameAs(b *api) bool {
	return a.version == b.version && a.strict == b.strict && a.deprecationErrors == b.deprecationErrors
}
