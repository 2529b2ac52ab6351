package aggregation

import (
	"context"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// Activity says what a stage asks about the server.
type Activity struct {
	Sessions bool // $listLocalSessions and $listSessions; otherwise $currentOp

	IdleConnections, IdleCursors bool // of $currentOp

	AllUsers bool   // of sessions
	Users    []User // whose sessions; empty: those of the client's own user
}

// User names a user.
type User struct{ DB, Name string }

// activity is $currentOp, $listLocalSessions and $listSessions.
type activity struct {
	stageName string
	env       Environment
	of        Activity
}

func compileCurrentOp(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if c.depth > 0 || c.opts.Coll != "" || c.opts.DB != "admin" {
		return nil, mongoerr.New(mongoerr.InvalidNamespace, "%s must be run against the 'admin' database with {aggregate: 1}", name)
	}
	a, err := newActivity(c, name, spec)
	if err != nil {
		return nil, err
	}
	for it := spec.Doc().Iter(); it.Next(); {
		if err := a.of.option(name, string(it.Key()), it.Value()); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func newActivity(c *compiler, name string, spec bsonraw.Value) (*activity, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(mongoerr.TypeMismatch, "%s options must be specified in an object, but found: %s", name, spec.Type.Name())
	}
	return &activity{stageName: name, env: c.opts.Environment}, nil
}

// option reads an option of $currentOp. All there is to tell is told: there are no users, no router, and commands are short.
func (a *Activity) option(stage, field string, v bsonraw.Value) error {
	wrong := mongoerr.FailedToParse
	switch field {
	case "allUsers":
		wrong = mongoerr.TypeMismatch
	case "idleConnections", "idleCursors", "idleSessions", "localOps", "truncateOps", "backtrace":
	default:
		return mongoerr.New(mongoerr.FailedToParse, "Unrecognized option '%s' in %s stage.", field, stage)
	}
	if v.Type != bsonraw.TypeBool {
		return mongoerr.New(wrong, "The '%s' parameter of the %s stage must be a boolean value, but found: %s", field, stage, v.Type.Name())
	}
	switch field {
	case "idleConnections":
		a.IdleConnections = v.Bool()
	case "idleCursors":
		a.IdleCursors = v.Bool()
	}
	return nil
}

func compileListLocalSessions(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if c.depth > 0 || c.opts.Coll != "" {
		return nil, mongoerr.New(mongoerr.InvalidNamespace, "%s must be run against the database with {aggregate: 1}, not a collection", name)
	}
	return compileSessions(c, name, spec)
}

func compileListSessions(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if c.depth > 0 || c.opts.DB != "config" || c.opts.Coll != "system.sessions" {
		return nil, mongoerr.New(mongoerr.InvalidNamespace, "%s may only be run against config.system.sessions", name)
	}
	return compileSessions(c, name, spec)
}

func compileSessions(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	a, err := newActivity(c, name, spec)
	if err != nil {
		return nil, err
	}
	a.of.Sessions = true
	for it := spec.Doc().Iter(); it.Next(); {
		v := it.Value()
		if v.Type == bsonraw.TypeNull {
			continue
		}
		switch string(it.Key()) {
		case "allUsers":
			if v.Type != bsonraw.TypeBool {
				return nil, errFieldType(name, it.Key(), v, "bool")
			}
			a.of.AllUsers = v.Bool()
		case "users":
			if a.of.Users, err = parseUsers(name, v); err != nil {
				return nil, err
			}
		default:
			return nil, mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", name, it.Key())
		}
	}
	return a, nil
}

func parseUsers(stage string, v bsonraw.Value) ([]User, error) {
	if v.Type != bsonraw.TypeArray {
		return nil, errFieldType(stage, []byte("users"), v, "array")
	}
	var users []User
	for it := v.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			return nil, errFieldType(stage, append([]byte("users."), it.Key()...), it.Value(), "object")
		}
		user, err := parseUser(stage+".users", it.Value().Doc())
		if err != nil {
			return nil, err
		}
		users = append(users, user)
	}
	return users, nil
}

func parseUser(place string, d bsonraw.Doc) (u User, err error) {
	var hasName, hasDB bool
	for it := d.Iter(); it.Next(); {
		v := it.Value()
		switch string(it.Key()) {
		case "user":
			u.Name, hasName = v.Str(), true
		case "db":
			u.DB, hasDB = v.Str(), true
		default:
			return u, mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", place, it.Key())
		}
		if v.Type != bsonraw.TypeString {
			return u, errFieldType(place, it.Key(), v, "string")
		}
	}
	switch {
	case !hasName:
		err = mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.user' is missing but a required field", place)
	case !hasDB:
		err = mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.db' is missing but a required field", place)
	}
	return u, err
}

func (a *activity) name() string    { return a.stageName }
func (a *activity) optimize() error { return nil }

func (a *activity) open(frame) Source { return &activityGiven{activity: a} }

// activityGiven asks at the first Next.
type activityGiven struct {
	*activity
	asked bool
	rest  []bsonraw.Doc
}

func (a *activityGiven) Next(context.Context) (bsonraw.Doc, error) {
	if !a.asked {
		a.asked, a.rest = true, a.env.Activity(&a.of)
	}
	if len(a.rest) == 0 {
		return nil, io.EOF
	}
	doc := a.rest[0]
	a.rest = a.rest[1:]
	return doc, nil
}

// NeedsNoCollection reports whether a pipeline that begins with the stage may be one of {aggregate: 1}.
func NeedsNoCollection(first string) bool {
	switch first {
	case "$documents", "$currentOp", "$listLocalSessions", "$listSessions":
		return true
	}
	return false
}

// LocalOnly reports whether a stage tells about the server as it is and takes no read concern but "local".
func LocalOnly(stage string) bool { return stage == "$currentOp" || stage == "$listLocalSessions" }
