package differential

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// anyHistory is the name under which differences of histories are allowed.
const anyHistory = "history"

var codePattern = regexp.MustCompile(`"code":\{"\$numberInt":"(\d+)"\}`)

// class is what a difference has in common with others that have the same cause, so that shrinking does not end with another one: the command, and
// how each server answered.
func (d difference) class(s scenario) string {
	one := s.steps[d.step]
	what := one.verb
	switch one.verb {
	case "events", "resume":
		what += d.parting()
	case "run", "admin", otherDatabase:
		what = one.command[0].Key
	}
	var answers [2]string
	for i, outcome := range d.outcomes {
		answers[i] = "ok"
		if code := codePattern.FindStringSubmatch(outcome); code != nil {
			answers[i] = code[1]
		}
	}
	return fmt.Sprintf("%s: engine %s, mongod %s", what, answers[0], answers[1])
}

var kindPattern = regexp.MustCompile(`"operationType":"(\w+)"`)

// parting tells of two streams what the first lines are about that are not equal: the kinds of events, or in which way the streams were resumed.
func (d difference) parting() string {
	a, b := strings.Split(d.outcomes[0], "\n"), strings.Split(d.outcomes[1], "\n")
	for i := range max(len(a), len(b)) {
		line := func(list []string) string {
			if i >= len(list) {
				return "nothing"
			}
			if kind := kindPattern.FindStringSubmatch(list[i]); kind != nil {
				return kind[1]
			}
			name, _, _ := strings.Cut(strings.TrimSpace(list[i]), " ")
			return name
		}
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return " " + line(a) + "/" + line(b)
		}
	}
	return ""
}

// shrink makes a scenario smaller while its first difference stays of the same class, for a while: it leaves out steps, the largest groups first, then fields and
// elements, and makes values plain.
func shrink(ctx context.Context, s scenario, d *difference, run func(context.Context, scenario) *difference) (scenario, *difference) {
	ctx, cancel := context.WithTimeout(ctx, shrinkTime)
	defer cancel()
	class := d.class(s)
	// What comes after the difference did not cause it, unless it shows it.
	s.steps = s.steps[:d.step+1]
	try := func(candidate scenario) bool {
		if ctx.Err() != nil || !keepsOrder(candidate) {
			return false
		}
		found := run(ctx, candidate)
		if found == nil || found.class(candidate) != class {
			return false
		}
		s, d = candidate, found
		s.steps = s.steps[:d.step+1]
		return true
	}
	for size := len(s.steps) / 2; size > 0; size /= 2 {
		for from := len(s.steps) - size; from >= 0; from -= size {
			if from+size <= len(s.steps) {
				candidate := s
				candidate.steps = slices.Concat(s.steps[:from], s.steps[from+size:])
				try(candidate)
			}
		}
	}
	for again := true; again && ctx.Err() == nil; {
		again = false
		for i := 0; i < len(s.steps); i++ { //nolint:intrange // steps get fewer within
			if s.steps[i].verb != "run" {
				continue
			}
			for n := 0; i < len(s.steps); {
				simpler, ok := simplify(s.steps[i].command, n)
				if !ok {
					break
				}
				candidate := s
				candidate.steps = slices.Clone(s.steps)
				candidate.steps[i].command = simpler
				if try(candidate) {
					again = true
				} else {
					n++
				}
			}
		}
	}
	return s, d
}

// simplify makes the nth of a command's simpler forms. The command's name and collection stay.
func simplify(command bson.D, n int) (bson.D, bool) {
	simpler, _, done := simplifyValue(command[1:], n)
	rest, isDocument := simpler.(bson.D)
	if !done || !isDocument {
		return nil, false
	}
	return append(bson.D{command[0]}, rest...), true
}

// simplifyValue counts the simpler forms of a value in a fixed order, and returns the nth; or what is left of n if there are fewer.
func simplifyValue(v any, n int) (simpler any, left int, done bool) {
	switch v := v.(type) {
	case bson.D:
		if n < len(v) {
			return without(v, n), 0, true
		}
		n -= len(v)
		for i, e := range v {
			if simpler, left, done := simplifyPart(e.Value, n); done {
				out := slices.Clone(v)
				out[i].Value = simpler
				return out, 0, true
			} else {
				n = left
			}
		}
	case bson.A:
		if n < len(v) {
			return without(v, n), 0, true
		}
		n -= len(v)
		for i, e := range v {
			if simpler, left, done := simplifyPart(e, n); done {
				out := slices.Clone(v)
				out[i] = simpler
				return out, 0, true
			} else {
				n = left
			}
		}
	case string:
		if at := strings.LastIndexByte(v, '.'); at > 0 {
			if n == 0 {
				return v[:at], 0, true
			}
			n--
		}
	}
	return nil, n, false
}

// without leaves out an element. It is never nil, which would be another type.
func without[S ~[]E, E any](list S, n int) S {
	return append(append(make(S, 0, len(list)), list[:n]...), list[n+1:]...)
}

// keepsOrder says that a history still gives every document a growing _id, so that the order of the collection is the same on both servers.
func keepsOrder(s scenario) bool {
	last := 0.0
	for _, one := range s.steps {
		if one.verb != "run" {
			continue
		}
		switch documents, _ := field(one.command, "documents").(bson.A); one.command[0].Key {
		case "insert":
			for _, d := range documents {
				d, _ := d.(bson.D)
				id := asNumber(field(d, "_id"))
				if id == 0 || id < last {
					return false
				}
				last = max(last, id)
			}
		case "update":
			if strings.Contains(jsonOf(one.command), "upsert") && !strings.Contains(jsonOf(one.command), "_id") {
				return false
			}
		}
	}
	return true
}

// asNumber is an id's value, 0 if it is no number.
func asNumber(v any) float64 {
	var n float64
	switch v := v.(type) {
	case int32:
		n = float64(v)
	case int64:
		n = float64(v)
	case float64:
		n = v
	case bson.Decimal128:
		n, _ = strconv.ParseFloat(v.String(), 64)
	case string:
		n, _ = strconv.ParseFloat(v, 64)
	case bson.D:
		if len(v) > 0 {
			return asNumber(v[0].Value)
		}
	}
	return n
}

// simplifyPart is simplifyValue for a value within another, which can also become 1.
func simplifyPart(v any, n int) (simpler any, left int, done bool) {
	if v != int32(1) {
		if n == 0 {
			return int32(1), 0, true
		}
		n--
	}
	return simplifyValue(v, n)
}
