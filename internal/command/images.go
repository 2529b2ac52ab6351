package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
)

// imagesOption is the option of a collection that keeps documents as they were before they changed.
const imagesOption = "changeStreamPreAndPostImages"

// images reads {enabled: <bool>}.
func (a argument) images(to *bool) error {
	var d bsonraw.Doc
	if err := a.doc(&d); err != nil {
		return err
	}
	once := mqlargument.NewOnce(a.op.cmd.name+"."+a.name, d)
	there := false
	for it := d.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		field := argument{a.op, a.name + "." + string(it.Key()), it.Value()}
		if string(it.Key()) != "enabled" {
			return field.unknown()
		}
		if err := field.strictFlag(to); err != nil {
			return err
		}
		there = true
	}
	if !there {
		return required(a.op, a.name+".enabled")
	}
	return nil
}

// checkImages refuses images in the databases that change streams do not watch.
func checkImages(db string) error {
	switch db {
	case "admin", "config", "local":
		return mongoerr.New(mongoerr.InvalidOptions, "%s collection option is not supported on the %s database", imagesOption, db)
	}
	return nil
}

// withImages returns a collection's options with images enabled or not. Those that are not enabled are not shown.
func withImages(options bsonraw.Doc, enabled bool) bsonraw.Doc {
	if !enabled {
		return withOption(options, imagesOption, bsonraw.Value{})
	}
	d, at := bsonraw.BeginDoc(nil)
	return withOption(options, imagesOption, documentValue(bsonraw.EndDoc(bsonraw.AppendBool(d, "enabled", true), at)))
}

// appendImages appends the option as commands give it.
func appendImages(dst []byte, enabled bool) []byte {
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, imagesOption)
	return bsonraw.EndDoc(bsonraw.AppendBool(dst, "enabled", enabled), at)
}
