package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// usersInfo {usersInfo: 1 | <name> | {user, db} | {forAllDBs} | [names], filter, showPrivileges, ...} lists the users that are asked for. There are
// none, whoever is asked for.
func usersInfo(op *operation) error {
	exact, details := false, false
	err := op.arguments(func(name string, a argument) (err error) {
		var flag bool
		switch name {
		case "usersInfo":
			exact, err = userNames(a.Value)
			return err
		case "filter":
			var pattern bsonraw.Doc
			if err = a.doc(&pattern); err == nil {
				_, err = compileListFilter(pattern)
			}
			return err
		case "showPrivileges", "showAuthenticationRestrictions":
			err = a.flag(&flag)
			details = details || flag
			return err
		case "showCredentials", "showCustomData":
			return a.flag(&flag)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	if details && !exact {
		return mongoerr.New(mongoerr.IllegalOperation, "Privilege or restriction details require exact-match usersInfo queries")
	}
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "users")
	list := bsonraw.BeginArray(op.out)
	op.out = list.End()
	return nil
}

// userNames checks how users are named, and reports whether they are named one by one.
func userNames(v bsonraw.Value) (exact bool, err error) {
	switch {
	case v.Type.IsNumber():
		return false, nil
	case v.Type == bsonraw.TypeDocument && !v.Doc().Lookup("forAllDBs").IsMissing():
		return false, nil
	case v.Type != bsonraw.TypeArray:
		return true, userName(v)
	case v.Doc().IsEmpty():
		return false, mongoerr.New(mongoerr.BadValue, "usersInfo: the array of users must not be empty")
	}
	for it := v.Doc().Iter(); it.Next(); {
		if err := userName(it.Value()); err != nil {
			return false, err
		}
	}
	return true, nil
}

// userName checks a user's name: a string, or {user, db}.
func userName(v bsonraw.Value) error {
	if v.Type == bsonraw.TypeString {
		return nil
	}
	if v.Type != bsonraw.TypeDocument {
		return mongoerr.New(mongoerr.BadValue, "UserName must be either a string or an object")
	}
	for it := v.Doc().Iter(); it.Next(); {
		switch key := string(it.Key()); {
		case key != "user" && key != "db":
			return mongoerr.New(mongoerr.BadValue, "UserName contains an unknown field named: '%s'", key)
		case it.Value().Type != bsonraw.TypeString:
			return mongoerr.New(mongoerr.BadValue, "UserName must contain a string field named: %s. But, has type %s", key, it.Value().Type.Name())
		}
	}
	for _, key := range []string{"user", "db"} {
		if v.Doc().Lookup(key).IsMissing() {
			return mongoerr.New(mongoerr.BadValue, "UserName must contain a field named: %s", key)
		}
	}
	return nil
}
