package command

import (
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// parameter is a server parameter.
type parameter struct {
	name    string
	startup bool                                                // may be set when the server is started
	append  func(dst []byte, name string, s *Server) []byte     // appends the value
	set     func(s *Server, name string, v bsonraw.Value) error // while the server runs; nil: it may not be set then
}

// parameters are those that clients ask for, sorted by name.
var parameters = []parameter{
	{"authenticationMechanisms", true, func(dst []byte, name string, _ *Server) []byte {
		return bsonraw.AppendArray(dst, name, bsonraw.Empty)
	}, nil},
	{"cursorTimeoutMillis", false, func(dst []byte, name string, s *Server) []byte {
		return bsonraw.AppendInt64(dst, name, time.Duration(s.cursors.timeout.Load()).Milliseconds())
	}, setCursorTimeout},
	{"enableTestCommands", true, func(dst []byte, name string, s *Server) []byte {
		return bsonraw.AppendBool(dst, name, s.cfg.TestCommands)
	}, nil},
	{"enableTimeoutOfInactiveSessionCursors", false, func(dst []byte, name string, _ *Server) []byte {
		return bsonraw.AppendBool(dst, name, false)
	}, nil},
	{"featureCompatibilityVersion", false, func(dst []byte, name string, _ *Server) []byte {
		dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, name)
		return bsonraw.EndDoc(bsonraw.AppendString(dst, "version", compatibilityVersion), at)
	}, nil},
	{"localLogicalSessionTimeoutMinutes", false, func(dst []byte, name string, _ *Server) []byte {
		return bsonraw.AppendInt32(dst, name, int32(sessionTimeout/time.Minute))
	}, nil},
	{"maxBSONDepth", false, func(dst []byte, name string, _ *Server) []byte {
		return bsonraw.AppendInt32(dst, name, bsonraw.MaxMessageDepth)
	}, nil},
	{"requireApiVersion", false, func(dst []byte, name string, _ *Server) []byte {
		return bsonraw.AppendBool(dst, name, false)
	}, nil},
	{"transactionLifetimeLimitSeconds", false, func(dst []byte, name string, s *Server) []byte {
		return bsonraw.AppendInt32(dst, name, int32(s.transactions.lifetime()/time.Second))
	}, setTransactionLifetime},
	{"ttlMonitorEnabled", false, func(dst []byte, name string, s *Server) []byte {
		return bsonraw.AppendBool(dst, name, !s.ttl.off.Load())
	}, setTTLEnabled},
	{"ttlMonitorSleepSecs", false, func(dst []byte, name string, s *Server) []byte {
		return bsonraw.AppendInt32(dst, name, int32(time.Duration(s.ttl.sleep.Load())/time.Second))
	}, setTTLSleep},
}

// getParameter {getParameter: 1 | "*" | {showDetails, allParameters}, <name>: <anything>, ...} tells parameters, those named or
// all. With showDetails each comes as {value, settableAtRuntime, settableAtStartup}. setAt is not supported.
func getParameter(op *operation) error {
	all, details, err := parameterChoice(op)
	if err != nil {
		return err
	}
	found := false
	for _, p := range parameters {
		if !all && op.body.Lookup(p.name).IsMissing() {
			continue
		}
		found = true
		if !details {
			op.out = p.append(op.out, p.name, op.server)
			continue
		}
		var at int
		op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, p.name)
		op.out = p.append(op.out, "value", op.server)
		op.out = bsonraw.AppendBool(op.out, "settableAtRuntime", p.set != nil)
		op.out = bsonraw.AppendBool(op.out, "settableAtStartup", p.startup)
		op.out = bsonraw.EndDoc(op.out, at)
	}
	if !found {
		return mongoerr.New(mongoerr.InvalidOptions, "no option found to get")
	}
	return nil
}

// parameterChoice reads the command's own argument.
func parameterChoice(op *operation) (all, details bool, err error) {
	v := op.body.Lookup("getParameter")
	if v.Type == bsonraw.TypeString && v.Str() == "*" {
		return true, false, nil
	}
	if v.Type != bsonraw.TypeDocument {
		return false, false, nil
	}
	for it := v.Doc().Iter(); it.Next(); {
		switch a := (argument{op, string(it.Key()), it.Value()}); a.name {
		case "showDetails":
			err = a.flag(&details)
		case "allParameters":
			err = a.flag(&all)
		case "setAt":
			err = a.unsupported()
		default:
			err = a.unknown()
		}
		if err != nil {
			return false, false, err
		}
	}
	return all, details, nil
}
