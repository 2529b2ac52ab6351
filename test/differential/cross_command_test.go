package differential

import (
	"fmt"
	"strings"
	"testing"
)

// crossedCommands are commands that meet every argument below. What stands before the last line of one is done before each; "admin" begins
// one that is for that database.
var crossedCommands = []string{
	`run {"find": "c", "filter": {"_id": {"$gte": 1}}, "sort": {"_id": 1}}`,
	`run {"aggregate": "c", "pipeline": [{"$sort": {"_id": 1}}], "cursor": {}}`,
	`run {"aggregate": "v", "pipeline": [{"$sort": {"_id": 1}}], "cursor": {}}`,
	`run {"find": "v", "filter": {}}`,
	`run {"count": "c", "query": {"_id": {"$gte": 1}}}`,
	crossedDistinct,
	`run {"insert": "d", "documents": [{"a": 1}]}`,
	`run {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"n": 1}}}]}`,
	`run {"delete": "c", "deletes": [{"q": {"_id": 99}, "limit": 1}]}`,
	`run {"findAndModify": "c", "query": {"_id": {"$lt": 2}}, "update": {"$set": {"n": 1}}}`,
	"run {\"find\": \"c\", \"batchSize\": 0}\nlet id cursor.id\n" + `run {"getMore": {"$var": "id"}, "collection": "c"}`,
	`run {"killCursors": "c", "cursors": [{"$numberLong": "7"}]}`,
	"run {\"insert\": \"x\", \"documents\": [{}]}\nrun {\"drop\": \"x\"}\n" + `run {"create": "x"}`,
	"run {\"insert\": \"x\", \"documents\": [{}]}\n" + `run {"drop": "x"}`,
	`run {"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}`,
	"run {\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"b\": 1}, \"name\": \"b\"}]}\n" + `run {"dropIndexes": "c", "index": "b"}`,
	`run {"listIndexes": "c"}`,
	`run {"listCollections": 1, "filter": {"name": "c"}, "nameOnly": true}`,
	`run {"collMod": "c", "validationLevel": "off"}`,
	`run {"validate": "c"}`,
	`run {"collStats": "c"}`,
	`run {"dbStats": 1}`,
	`run {"ping": 1}`,
	`run {"explain": {"find": "c"}, "verbosity": "queryPlanner"}`,
	`other {"dropDatabase": 1}`,
	"run {\"insert\": \"x\", \"documents\": [{}]}\n" + `admin {"renameCollection": {"$ns": "x"}, "to": {"$ns": "y"}, "dropTarget": true}`,
	`admin {"listDatabases": 1, "filter": {"name": "none"}}`,
	`admin {"endSessions": []}`,
}

// crossedArguments are arguments in which every value stands in the place of %s.
var crossedArguments = []string{
	`"maxTimeMS": %s`, `"batchSize": %s`, `"cursor": {"batchSize": %s}`, `"comment": %s`, `"let": %s`, `"let": {"x": %s}`,
	`"readConcern": %s`, `"readConcern": {"level": %s}`, `"readConcern": {"level": "majority", "afterClusterTime": %s}`, `"readConcern": {"nonsense": %s}`,
	`"writeConcern": %s`, `"writeConcern": {"w": %s}`, `"writeConcern": {"w": 1, "j": %s}`, `"writeConcern": {"w": 1, "wtimeout": %s}`, `"writeConcern": {"nonsense": %s}`,
	`"collation": %s`, `"collation": {"locale": %s}`, `"collation": {"locale": "en", "strength": %s}`, `"collation": {"locale": "en", "caseLevel": %s}`, `"collation": {"locale": "en", "nonsense": %s}`,
	`"hint": %s`, `"hint": {"_id": %s}`, `"hint": {"$natural": %s}`,
	`"allowDiskUse": %s`, `"bypassDocumentValidation": %s`, `"ordered": %s`, `"skip": %s`, `"limit": %s`, `"sort": %s`, `"projection": %s`, `"fields": %s`, `"singleBatch": %s`, `"nonsense": %s`, `"$readPreference": {"mode": %s}`,
}

// commandValues are the values that arguments of commands tell apart: each type and the borders of numbers.
var commandValues = strings.Split(strings.TrimSpace(`
null
true
false
0
1
-1
2147483647
{"$numberLong": "2147483648"}
{"$numberLong": "-2147483649"}
{"$numberLong": "9223372036854775807"}
{"$numberDouble": "1.5"}
{"$numberDouble": "-0.5"}
{"$numberDouble": "1e300"}
{"$numberDouble": "NaN"}
{"$numberDecimal": "1"}
{"$numberDecimal": "1.5"}
{"$numberDecimal": "100000.5"}
""
"x"
"_id_"
"majority"
"local"
{}
{"x": 1}
{"_id": 1}
{"locale": "en"}
[]
[1]
{"$undefined": true}
{"$date": {"$numberLong": "0"}}
{"$timestamp": {"t": 1, "i": 1}}
{"$oid": "5f0000000000000000000001"}
{"$binary": {"base64": "AQ==", "subType": "00"}}
{"$regularExpression": {"pattern": "a", "options": ""}}
{"$minKey": 1}
`), "\n")

// isShort are values that make a limit of time that may have passed.
var isShort = map[string]bool{`1`: true, `{"$numberDecimal": "1"}`: true, `{"$numberDecimal": "1.5"}`: true}

// laterOnly are arguments that commands have in later versions.
var laterOnly = map[string]bool{
	crossedDistinct + ` "hint": %s`: true, crossedDistinct + ` "hint": {"_id": %s}`: true, crossedDistinct + ` "hint": {"$natural": %s}`: true,
}

const crossedDistinct = `run {"distinct": "c", "key": "_id"}`

// TestEveryArgument gives every common argument, with values of each type, to every command, also to those that do not know it.
func TestEveryArgument(t *testing.T) {
	t.Parallel()
	on := both(t)
	every := everyNth()
	for n, command := range crossedCommands {
		before, command := cutLast(command)
		text := `insert {"_id": 1} {"_id": 2}` + "\n" + `run {"create": "v", "viewOn": "c", "pipeline": []}` + "\n=== " + command + "\n"
		for i, argument := range crossedArguments {
			name, _, _ := strings.Cut(argument, ":")
			if strings.Contains(command, name+":") || laterOnly[command+" "+argument] {
				continue
			}
			for j, v := range commandValues {
				if (i+j+n)%every == 0 && !(name == `"maxTimeMS"` && isShort[v]) {
					text += before + strings.TrimSuffix(command, "}") + ", " + fmt.Sprintf(argument, v) + "}\n"
				}
			}
		}
		cross(t, on, text)
	}
}

// cutLast cuts a text before its last line.
func cutLast(text string) (before, last string) {
	at := strings.LastIndex(text, "\n") + 1
	return text[:at], text[at:]
}
