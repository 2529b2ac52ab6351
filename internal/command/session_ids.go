package command

import (
	"bytes"
	"crypto/sha256"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
)

// sessionKeys reads the argument of a command that takes session ids, [{id: <UUID>, uid: <digest>}, ...], as keys of sessions.
func sessionKeys(op *operation) ([]string, error) {
	var keys []string
	err := op.arguments(func(name string, a argument) error {
		if name != op.cmd.name {
			return a.unknown()
		}
		var list bsonraw.Doc
		if err := a.array(&list); err != nil {
			return err
		}
		for it := list.Iter(); it.Next(); {
			if it.Value().Type != bsonraw.TypeDocument {
				return op.wrongType(a.name+"."+string(it.Key()), it.Value(), "object")
			}
			id, err := parseSessionID(op.cmd.name+"."+a.name, it.Value().Doc())
			if err != nil {
				return err
			}
			keys = append(keys, id.key())
		}
		return nil
	})
	return keys, err
}

// sessionID is a session's id as clients send it.
type sessionID struct {
	id, uid  []byte
	internal bool // one that servers use among themselves
}

// uuidSize is the size of a UUID.
const uuidSize = 16

// nobody is the digest of the user whom a session belongs to where there is no authentication.
var nobody = sha256.Sum256(nil)

// key returns the key of the session: its UUID and, where somebody has it, the digest of its user.
func (s sessionID) key() string {
	if s.isNobodys() {
		return string(s.id)
	}
	return string(s.id) + string(s.uid)
}

func (s sessionID) isNobodys() bool { return len(s.uid) == 0 || bytes.Equal(s.uid, nobody[:]) }

// parseSessionID reads {id: <UUID>, uid: <digest>}; field is its place in the command, for messages.
func parseSessionID(field string, lsid bsonraw.Doc) (s sessionID, err error) {
	var numbered bool
	once := mqlargument.NewOnce(field, lsid)
	for it := lsid.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return s, err
		}
		v := it.Value()
		if v.Type == bsonraw.TypeNull {
			continue
		}
		switch string(it.Key()) {
		case "id":
			s.id, err = uuidOf(field, "id", v)
		case "uid":
			s.uid, err = digestOf(field, "uid", v)
		case "txnUUID":
			_, err = uuidOf(field, "txnUUID", v)
			s.internal = true
		case "txnNumber":
			if numbered = true; v.Type != bsonraw.TypeInt64 {
				err = wrongType(field+".txnNumber", v, "long")
			}
		default:
			err = mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", field, it.Key())
		}
		if err != nil {
			return sessionID{}, err
		}
	}
	switch {
	case s.id == nil:
		err = mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.id' is missing but a required field", field)
	case numbered && !s.internal:
		err = mongoerr.New(mongoerr.InvalidOptions, "Cannot specify txnNumber in lsid without specifying txnUUID")
	}
	return s, err
}

func uuidOf(of, field string, v bsonraw.Value) ([]byte, error) {
	if v.Type != bsonraw.TypeBinary {
		return nil, wrongType(of+"."+field, v, "binData")
	}
	subtype, id := v.Binary()
	if subtype != bsonraw.SubtypeUUID {
		return nil, mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong binData type '%d', expected type 'UUID'", of, field, subtype)
	}
	if len(id) != uuidSize {
		return nil, mongoerr.New(mongoerr.InvalidUUID, "uuid must be a 16-byte binary field with UUID (4) subtype")
	}
	return id, nil
}

func digestOf(of, field string, v bsonraw.Value) ([]byte, error) {
	if v.Type != bsonraw.TypeBinary {
		return nil, wrongType(of+"."+field, v, "binData")
	}
	_, digest := v.Binary()
	if len(digest) != sha256.Size {
		return nil, mongoerr.New(mongoerr.UnsupportedFormat, "Unsupported SHA256Block hash length: %d", len(digest))
	}
	return digest, nil
}
