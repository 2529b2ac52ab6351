package repocheck

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/command"
	"github.com/sluicestream/sluice/internal/golden"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/update"
)

// The lines of the README between which the tables stand.
const (
	supportBegins = "<!-- What follows is generated: go test ./internal/repocheck -run Support -rewrite -->"
	supportEnds   = "<!-- What was generated ends here. -->"
)

// TestREADMETellsSupport compares the README's tables of commands, stages and operators with the tables in the code. Each name is
// asked for of a server, whose error tells whether it is there.
func TestREADMETellsSupport(t *testing.T) {
	t.Parallel()
	file := filepath.Join(root, "README.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), supportBegins)
	_, after, ends := strings.Cut(rest, supportEnds)
	if !begins || !ends {
		t.Fatalf("%s has no line %q before a line %q", file, supportBegins, supportEnds)
	}
	golden.Compare(t, file, before+supportBegins+newAsker(t).tables(t)+supportEnds+after)
}

// asker asks a server for everything that there is a name for.
type asker struct {
	conn    *command.Conn
	refused map[string][]string // names by the errors that they give
}

func newAsker(t *testing.T) *asker {
	t.Helper()
	server, err := command.Open(t.Context(), command.Config{ReplicaSet: "rs0", TestCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	a := &asker{conn: server.NewConn(command.ConnInfo{ID: 1}), refused: map[string][]string{}}
	t.Cleanup(func() {
		a.conn.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	a.run(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: 1}}}}})
	return a
}

func (a *asker) run(t *testing.T, db string, cmd bson.D) (code mongoerr.Code, msg string) {
	t.Helper()
	body, err := bson.Marshal(append(cmd, bson.E{Key: "$db", Value: db}))
	if err != nil {
		t.Fatal(err)
	}
	out, _ := a.conn.Run(t.Context(), &command.Request{Body: body}, nil)
	reply := bson.Raw(out)
	if failed, ok := reply.Lookup("writeErrors").ArrayOK(); ok {
		reply = bson.Raw(failed.Index(0).Value)
	}
	n, _ := reply.Lookup("code").AsInt64OK()
	msg, _ = reply.Lookup("errmsg").StringValueOK()
	return mongoerr.Code(n), msg
}

// arguments are what a name is asked for with, until one of them is refused for what the name is. Commands have only the first one.
var arguments = []any{bson.D{}, bson.A{}, 1, "x", bson.D{{Key: "x", Value: 1}}, bson.D{{Key: "$search", Value: "x"}}}

// isRefusal reports whether a code says that something is not there, rather than that it was asked for in the wrong way. Indexes of
// some kinds are not there, and what needs one says that.
func isRefusal(code mongoerr.Code) bool {
	switch code {
	case mongoerr.CommandNotSupported, mongoerr.SearchNotEnabled, mongoerr.NoQueryExecutionPlans, mongoerr.IndexNotFound:
		return true
	}
	return false
}

// kind is a kind of names and how to ask for one.
type kind struct {
	title    string
	names    []string
	request  func(name string, argument any) (db string, cmd bson.D)
	commands bool
}

func kinds() []kind {
	pipeline := func(stages ...any) bson.D {
		return bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: bson.A(stages)}, {Key: "cursor", Value: bson.D{}}}
	}
	one := func(name string, v any) bson.D { return bson.D{{Key: name, Value: v}} }
	var list []kind
	for _, g := range command.Groups() {
		list = append(list, kind{g.Kind, g.Names, func(name string, argument any) (string, bson.D) { return "admin", one(name, argument) }, true})
	}
	return append(list,
		kind{"Stages", aggregation.Stages(), func(name string, argument any) (string, bson.D) { return "db", pipeline(one(name, argument)) }, false},
		kind{"Accumulators", aggregation.Accumulators(), func(name string, argument any) (string, bson.D) {
			return "db", pipeline(one("$group", bson.D{{Key: "_id", Value: nil}, {Key: "a", Value: one(name, argument)}}))
		}, false},
		kind{"Expression operators", expression.Operators(), func(name string, argument any) (string, bson.D) {
			return "db", pipeline(one("$project", one("a", one(name, argument))))
		}, false},
		kind{"Query operators", slices.Concat(filter.FieldOperators(), filter.DocumentOperators()), func(name string, argument any) (string, bson.D) {
			query := one("a", one(name, argument))
			if slices.Contains(filter.DocumentOperators(), name) {
				query = one(name, argument)
			}
			return "db", bson.D{{Key: "find", Value: "c"}, {Key: "filter", Value: query}}
		}, false},
		kind{"Update operators", update.Operators(), func(name string, argument any) (string, bson.D) {
			statement := bson.D{{Key: "q", Value: bson.D{}}, {Key: "u", Value: one(name, one("a", argument))}}
			return "db", bson.D{{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{statement}}}
		}, false},
	)
}

// tables renders what there is, and what the rest answers.
func (a *asker) tables(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("\n| | There | Known, and refused |\n|---|---|---|\n")
	for _, k := range kinds() {
		var there, refused []string
		names := slices.Clone(k.names)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if a.refuses(t, k, name) {
				refused = append(refused, name)
			} else {
				there = append(there, name)
			}
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", k.title, quoted(there), quoted(refused))
	}
	out.WriteString("\n| What is refused | answers |\n|---|---|\n")
	for _, answer := range slices.Sorted(maps.Keys(a.refused)) {
		fmt.Fprintf(&out, "| %s | %s |\n", quoted(a.refused[answer]), answer)
	}
	return out.String()
}

// refuses asks for a name, and keeps what is answered when it is not there.
func (a *asker) refuses(t *testing.T, k kind, name string) bool {
	t.Helper()
	tried := arguments
	if k.commands {
		tried = arguments[:1]
	}
	for _, argument := range tried {
		db, cmd := k.request(name, argument)
		code, msg := a.run(t, db, cmd)
		if isRefusal(code) {
			answer := fmt.Sprintf("%d %s: %s", code, code.Name(), strings.ReplaceAll(msg, name, "…"))
			if !slices.Contains(a.refused[answer], name) {
				a.refused[answer] = append(a.refused[answer], name)
			}
			return true
		}
	}
	return false
}

// quoted renders names as code, with a mark for none.
func quoted(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	return "`" + strings.Join(names, "` `") + "`"
}
