package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// collection is where scenarios work if they name none.
const collection = "c"

// otherDatabase stands for a scenario's second database.
const otherDatabase = "other"

// step is one thing that is done on a server and has an outcome.
type step struct {
	line      int    // in the file
	verb      string // run, ask, start, finish, let, watch, events, resume, oplog; everything else became run
	name      string // of a stream, of a remembered value or of a command under way
	where     string // of watch; of resume the stream that is opened, if it is another
	path      string // of let
	database  string // of run, ask and start: the scenario's own if empty
	batchSize int64  // of watch: for each getMore, if not 0
	command   bson.D // of run, ask and start, or the aggregate of watch, or the projection of oplog
}

// scenario is a named rule: steps that are done in an empty database.
type scenario struct {
	name  string // FILE/NAME
	steps []step
}

// readScenarios reads all files of testdata, in the order of their names.
func readScenarios(pattern string) ([]scenario, error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var all []scenario
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		base := strings.TrimSuffix(filepath.Base(file), ".txt")
		list, err := parseScenarios(base, string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, list...)
	}
	return all, nil
}

// parseScenarios reads the text of a file.
func parseScenarios(base, text string) ([]scenario, error) {
	var all []scenario
	var common []step
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		start, line := i+1, lines[i]
		for i++; i < len(lines) && strings.HasPrefix(lines[i], " "); i++ {
			line += "\n" + lines[i]
		}
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		if name, begins := strings.CutPrefix(line, "=== "); begins {
			all = append(all, scenario{name: base + "/" + strings.TrimSpace(name), steps: append([]step(nil), common...)})
			continue
		}
		steps, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", start, err)
		}
		for _, s := range steps {
			s.line = start
			if len(all) == 0 {
				common = append(common, s)
			} else {
				last := &all[len(all)-1]
				last.steps = append(last.steps, s)
			}
		}
	}
	return all, nil
}

// parseStep reads one step; those that show everything afterwards are two.
func parseStep(line string) ([]step, error) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "let":
		name, path, _ := strings.Cut(strings.TrimSpace(rest), " ")
		return []step{{verb: verb, name: name, path: strings.TrimSpace(path)}}, nil
	case "events", "resume", "finish":
		name, where, _ := strings.Cut(strings.TrimSpace(rest), " ")
		return []step{{verb: verb, name: name, where: strings.TrimSpace(where)}}, nil
	case "oplog":
		values, err := parseValues(rest)
		if err != nil || len(values) == 0 {
			return []step{{verb: verb}}, err
		}
		projection, _ := values[0].(bson.D)
		return []step{{verb: verb, command: projection}}, nil
	case "start":
		name, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
		values, err := parseValues(rest)
		if err != nil {
			return nil, err
		}
		s, _, err := commandStep("run", values)
		s.verb, s.name = verb, name
		return []step{s}, err
	case "watch":
		name, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
		where, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
		values, err := parseValues(rest)
		if err != nil {
			return nil, err
		}
		return []step{watchStep(name, where, values)}, nil
	}
	values, err := parseValues(rest)
	if err != nil {
		return nil, err
	}
	s, shows, err := commandStep(verb, values)
	if err != nil {
		return nil, err
	}
	if shows {
		return []step{s, showAll()}, nil
	}
	return []step{s}, nil
}

// showAll finds everything in the collection, by _id.
func showAll() step {
	return step{verb: "run", command: bson.D{{Key: "find", Value: collection}, {Key: "sort", Value: bson.D{{Key: "_id", Value: 1}}}}}
}

// commandStep makes the command of a verb. shows says that everything is to be shown after it.
func commandStep(verb string, values []any) (s step, shows bool, err error) {
	least := map[string]int{"insert": 1, "update": 2, "delete": 2, "modify": 2, "find": 1, "count": 1, "distinct": 1, "aggregate": 1, "run": 1, "ask": 1, "admin": 1, "local": 1, "config": 1, "other": 1}
	n, known := least[verb]
	if !known {
		return s, false, fmt.Errorf("there is no verb %q", verb)
	}
	if len(values) < n {
		return s, false, fmt.Errorf("%s: %d values, at least %d are needed", verb, len(values), n)
	}
	s.verb = "run"
	name := verb
	if verb == "modify" {
		name = "findAndModify"
	}
	s.command = bson.D{{Key: name, Value: collection}}
	set := func(key string, v any) { s.command = append(s.command, bson.E{Key: key, Value: v}) }
	further := func(from int) bson.D {
		if len(values) > from {
			d, _ := values[from].(bson.D)
			return d
		}
		return nil
	}
	switch verb {
	case "insert":
		set("documents", bson.A(values))
	case "update":
		set("updates", bson.A{append(bson.D{{Key: "q", Value: values[0]}, {Key: "u", Value: values[1]}}, further(2)...)})
		shows = true
	case "delete":
		set("deletes", bson.A{append(bson.D{{Key: "q", Value: values[0]}, {Key: "limit", Value: values[1]}}, further(2)...)})
		shows = true
	case "modify":
		set("query", values[0])
		s.command = append(s.command, further(1)...)
		shows = true
	case "find":
		set("filter", values[0])
		s.command = append(s.command, further(1)...)
		if !has(s.command, "sort") {
			set("sort", bson.D{{Key: "_id", Value: 1}})
		}
	case "count":
		set("query", values[0])
		s.command = append(s.command, further(1)...)
	case "distinct":
		set("key", values[0])
		if len(values) > 1 {
			set("query", values[1])
		}
	case "aggregate":
		set("pipeline", values[0])
		set("cursor", bson.D{})
		s.command = append(s.command, further(1)...)
	case "ask":
		s.verb, s.database = verb, "admin"
	case "admin", "local", "config", otherDatabase:
		s.database = verb
	}
	switch verb {
	case "run", "ask", "admin", "local", "config", otherDatabase:
		command, isDocument := values[0].(bson.D)
		if !isDocument {
			return s, false, fmt.Errorf("%s: a command is a document", verb)
		}
		s.command = command
	}
	return s, shows, nil
}

// watchStep makes the aggregate that opens a stream.
func watchStep(name, where string, values []any) step {
	options, stages, fields := bson.D{}, bson.A{}, bson.D{{Key: "cursor", Value: bson.D{}}}
	if len(values) > 0 {
		options, _ = values[0].(bson.D)
	}
	if len(values) > 1 {
		stages, _ = values[1].(bson.A)
	}
	if len(values) > 2 {
		fields, _ = values[2].(bson.D)
	}
	s := step{verb: "watch", name: name, where: where}
	var target any = 1
	switch where {
	case "database":
	case otherDatabase:
		s.database = otherDatabase
	case "cluster":
		s.database = "admin"
		options = append(options, bson.E{Key: "allChangesForCluster", Value: true})
	default:
		target = where
	}
	pipeline := append(bson.A{bson.D{{Key: "$changeStream", Value: options}}}, stages...)
	s.command = append(bson.D{{Key: "aggregate", Value: target}, {Key: "pipeline", Value: pipeline}}, fields...)
	cursor, _ := field(s.command, "cursor").(bson.D)
	switch n := field(cursor, "batchSize").(type) {
	case int32:
		s.batchSize = int64(n)
	case int:
		s.batchSize = int64(n)
	}
	return s
}

// has says whether a document has a field.
func has(d bson.D, key string) bool {
	for _, e := range d {
		if e.Key == key {
			return true
		}
	}
	return false
}

// parseValues reads values in Extended JSON that follow each other.
func parseValues(text string) ([]any, error) {
	var values []any
	decoder := json.NewDecoder(strings.NewReader(text))
	for decoder.More() {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, err
		}
		var wrapped bson.D
		if err := bson.UnmarshalExtJSON(bytes.Join([][]byte{[]byte(`{"v":`), raw, []byte("}")}, nil), false, &wrapped); err != nil {
			return nil, fmt.Errorf("%s: %w", raw, err)
		}
		v, err := expand(wrapped[0].Value, nil)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// expand replaces $repeat and $range, and the variables that it is given.
func expand(v any, variables map[string]any) (any, error) {
	switch v := v.(type) {
	case bson.D:
		if len(v) == 1 {
			if made, done, err := expandSpecial(v[0], variables); done || err != nil {
				return made, err
			}
		}
		out := make(bson.D, len(v))
		for i, e := range v {
			made, err := expand(e.Value, variables)
			if err != nil {
				return nil, err
			}
			out[i] = bson.E{Key: e.Key, Value: made}
		}
		return out, nil
	case bson.A:
		out := make(bson.A, len(v))
		for i, e := range v {
			made, err := expand(e, variables)
			if err != nil {
				return nil, err
			}
			out[i] = made
		}
		return out, nil
	default:
		return v, nil
	}
}

func expandSpecial(e bson.E, variables map[string]any) (v any, done bool, err error) {
	arguments, _ := e.Value.(bson.A)
	switch e.Key {
	case "$repeat":
		if len(arguments) != 2 {
			return nil, false, fmt.Errorf("$repeat: a text and a number")
		}
		text, _ := arguments[0].(string)
		n, _ := arguments[1].(int32)
		return strings.Repeat(text, int(n)), true, nil
	case "$range":
		if len(arguments) != 3 {
			return nil, false, nil // the operator of expressions
		}
		from, isNumber := arguments[0].(int32)
		to, _ := arguments[1].(int32)
		if _, isDocument := arguments[2].(bson.D); !isNumber || !isDocument {
			return nil, false, nil // likewise
		}
		list := bson.A{}
		for i := from; i < to; i++ {
			made, err := expand(arguments[2], map[string]any{"i": i})
			if err != nil {
				return nil, false, err
			}
			list = append(list, made)
		}
		return list, true, nil
	case "$ns":
		name, _ := e.Value.(string)
		database, known := variables["database"].(string)
		if rest, isOther := strings.CutPrefix(name, otherDatabase+":"); isOther {
			return database + "_other." + rest, known, nil
		}
		return database + "." + name, known, nil
	case "$var":
		name, _ := e.Value.(string)
		v, known := variables[name]
		return v, known, nil
	default:
		return nil, false, nil
	}
}

// text is the scenario as a file has it.
func (s scenario) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "=== %s\n", s.name)
	for _, one := range s.steps {
		b.WriteString(one.text() + "\n")
	}
	return b.String()
}

func (s step) text() string {
	switch s.verb {
	case "let":
		return "let " + s.name + " " + s.path
	case "events", "resume", "finish":
		return strings.TrimSpace(s.verb + " " + s.name + " " + s.where)
	case "oplog":
		return s.verb + " " + jsonOf(s.command)
	case "start":
		return s.verb + " " + s.name + " " + jsonOf(s.command)
	case "ask":
		return s.verb + " " + jsonOf(s.command)
	case "watch":
		pipeline, _ := s.command[1].Value.(bson.A)
		stage, _ := pipeline[0].(bson.D)
		options, _ := stage[0].Value.(bson.D)
		if s.where == "cluster" {
			options = options[:len(options)-1]
		}
		return strings.Join([]string{"watch", s.name, s.where, jsonOf(options), jsonOf(pipeline[1:]), jsonOf(s.command[2:])}, " ")
	default:
		verb := "run"
		if s.database != "" {
			verb = s.database
		}
		return verb + " " + jsonOf(s.command)
	}
}

// jsonOf renders a value as canonical Extended JSON.
func jsonOf(v any) string {
	text, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: v}}, true, false)
	if err != nil {
		return fmt.Sprintf("%v (%v)", v, err)
	}
	return string(text[len(`{"v":`) : len(text)-1])
}
