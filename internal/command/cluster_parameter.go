package command

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// changeStreamOptions is the only cluster parameter: {preAndPostImages: {expireAfterSeconds: "off" | <seconds>}}.
const changeStreamOptions = "changeStreamOptions"

// getClusterParameter {getClusterParameter: <name> | [names] | "*"} tells cluster parameters.
func getClusterParameter(op *operation) error {
	err := op.arguments(func(name string, a argument) error {
		if name == "getClusterParameter" {
			return a.clusterParameterNames()
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	e := op.server.store.ImageExpiry()
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "clusterParameters")
	list := bsonraw.BeginArray(op.out)
	p, at := list.Begin(bsonraw.TypeDocument)
	p = bsonraw.AppendString(p, "_id", changeStreamOptions)
	p = bsonraw.AppendTimestamp(p, "clusterParameterTime", uint64(e.SetAt))
	p, images := bsonraw.BeginElem(p, bsonraw.TypeDocument, "preAndPostImages")
	if e.Seconds == 0 {
		p = bsonraw.AppendString(p, "expireAfterSeconds", "off")
	} else {
		p = bsonraw.AppendInt64(p, "expireAfterSeconds", e.Seconds)
	}
	list.Resume(bsonraw.EndDoc(bsonraw.EndDoc(p, images), at))
	op.out = list.End()
	return nil
}

// clusterParameterNames checks the names that are asked for; whichever they are, they all name the same parameter.
func (a argument) clusterParameterNames() error {
	names := []string{a.Str()}
	switch a.Type {
	case bsonraw.TypeString:
		if names[0] == "*" {
			return nil
		}
	case bsonraw.TypeArray:
		names = stringsOf(a.Value)
		if len(names) == 0 {
			return mongoerr.New(mongoerr.BadValue, "Must supply at least one cluster server parameter name to getClusterParameter")
		}
	default:
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected types '[string']",
			a.op.cmd.name, a.name, a.Type.Name())
	}
	for _, name := range names {
		if name != changeStreamOptions {
			return mongoerr.New(mongoerr.NoSuchKey, "Unknown server parameter: %s", name)
		}
	}
	return nil
}

// setClusterParameter {setClusterParameter: {changeStreamOptions: {preAndPostImages: {expireAfterSeconds: "off" | <seconds>}}}}
// sets how long documents are kept as they were before they changed. It is durable when it is answered.
func setClusterParameter(op *operation) error {
	var seconds int64
	err := op.arguments(func(name string, a argument) error {
		if name == "setClusterParameter" {
			return a.imageExpiry(&seconds)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	st := op.server.store
	return st.SetImageExpiry(store.ImageExpiry{Seconds: seconds, SetAt: st.Applied()})
}

// imageExpiry reads the value of a setClusterParameter.
func (a argument) imageExpiry(seconds *int64) error {
	var d bsonraw.Doc
	if err := a.doc(&d); err != nil {
		return err
	}
	it := d.Iter()
	name := ""
	if it.Next() {
		name = string(it.Key())
	}
	if name != changeStreamOptions {
		return mongoerr.New(mongoerr.IllegalOperation, "Unknown Cluster Parameter %s", name)
	}
	if it.Value().Type != bsonraw.TypeDocument {
		return mongoerr.New(mongoerr.IllegalOperation, "Cluster parameter value must be an object")
	}
	images, err := onlyField(it.Value().Doc(), "preAndPostImages")
	if err != nil {
		return err
	}
	if images.Type != bsonraw.TypeDocument {
		return badStreamOptions("invalid parameter: expected an object (preAndPostImages)")
	}
	expiry, err := onlyField(images.Doc(), "expireAfterSeconds")
	if err != nil {
		return err
	}
	return parseExpiry(expiry, seconds)
}

// onlyField returns the field of a document that has no other.
func onlyField(d bsonraw.Doc, name string) (bsonraw.Value, error) {
	v := d.Lookup(name)
	if v.IsMissing() {
		return v, badStreamOptions("BSON field '" + changeStreamOptions + "." + name + "' is missing but a required field")
	}
	for it := d.Iter(); it.Next(); {
		if string(it.Key()) != name {
			return v, badStreamOptions("BSON field '" + changeStreamOptions + "." + string(it.Key()) + "' is an unknown field.")
		}
	}
	return v, nil
}

func parseExpiry(v bsonraw.Value, seconds *int64) error {
	switch {
	case v.Type == bsonraw.TypeString && v.Str() == "off":
		*seconds = 0
		return nil
	case v.Type == bsonraw.TypeString:
		return mongoerr.New(mongoerr.BadValue, "Non-numeric value of 'expireAfterSeconds' should be 'off'")
	case !v.Type.IsNumber():
		return badStreamOptions("BSON field 'changeStreamOptions.preAndPostImages.expireAfterSeconds' is the wrong type '" + v.Type.Name() +
			"', expected types '[string, long']")
	}
	n, ok := v.AsInt64()
	if f, _ := v.AsFloat64(); !ok && f > 0 {
		n = math.MaxInt64
	}
	if n <= 0 {
		return mongoerr.New(mongoerr.BadValue, "Numeric value of 'expireAfterSeconds' should be positive")
	}
	*seconds = n
	return nil
}

func badStreamOptions(why string) error {
	return mongoerr.New(mongoerr.BadValue, "Failed parsing new %s value: %s", changeStreamOptions, why)
}
