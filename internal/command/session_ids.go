package command

import (
	"crypto/sha256"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
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
			key, err := sessionKeyOf(op, it.Value().Doc())
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return nil
	})
	return keys, err
}

// sessionKeyOf checks a session's id and returns its key, as sessionKey does for the command's own.
func sessionKeyOf(op *operation, lsid bsonraw.Doc) (string, error) {
	var id, uid []byte
	for it := lsid.Iter(); it.Next(); {
		switch v := it.Value(); string(it.Key()) {
		case "id":
			if v.Type != bsonraw.TypeBinary {
				return "", op.wrongType(op.cmd.name+".id", v, "binData")
			}
			var subtype byte
			if subtype, id = v.Binary(); subtype != bsonraw.SubtypeUUID || len(id) != 16 {
				return "", mongoerr.New(mongoerr.InvalidUUID, "uuid must be a 16-byte binary field with UUID (4) subtype")
			}
		case "uid":
			if v.Type != bsonraw.TypeBinary {
				return "", op.wrongType(op.cmd.name+".uid", v, "binData")
			}
			if _, uid = v.Binary(); len(uid) != sha256.Size {
				return "", mongoerr.New(mongoerr.UnsupportedFormat, "Unsupported SHA256Block hash length: %d", len(uid))
			}
		default:
			return "", argument{op, op.cmd.name + "." + string(it.Key()), v}.unknown()
		}
	}
	if id == nil {
		return "", required(op, op.cmd.name+".id")
	}
	return string(id) + string(uid), nil
}
