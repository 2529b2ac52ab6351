package command

import (
	"maps"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/projection"
)

// checkKind checks what belongs to one kind of indexes, and completes the specification of an index of texts.
func (s *indexSpec) checkKind() error {
	if s.kind != textKind && !s.weights.IsMissing() {
		return mongoerr.New(mongoerr.CannotCreateIndex, "Invalid index specification %s; the field 'weights' can only be specified with text indexes", s.given.Shell())
	}
	switch s.kind {
	case wildcardKind:
		if s.version < 2 {
			return mongoerr.New(mongoerr.CannotCreateIndex, "bad index key pattern %s: 'wildcard' index plugin is not allowed with index version v:%d", s.key.Shell(), s.version)
		}
		return s.checkWildcardProjection()
	case textKind:
		if err := s.completeText(); err != nil {
			return err
		}
	}
	if !s.paths.IsMissing() {
		return mongoerr.New(mongoerr.BadValue, "The field 'wildcardProjection' is only allowed in an 'wildcard' index")
	}
	return nil
}

// unfitForKind tells of options that do not go with the kind.
func (s *indexSpec) unfitForKind() string {
	switch {
	case s.kind == wildcardKind && s.unique:
		return "Index type 'wildcard' does not support the unique option"
	case s.kind == wildcardKind && s.sparse:
		return "Index type 'wildcard' does not support the sparse option"
	case s.kind == wildcardKind && !s.expires.IsMissing():
		return "Index type 'wildcard' cannot be a TTL index"
	}
	return ""
}

// checkHashed checks what is found out when a hashed index is built.
func (s *indexSpec) checkHashed() error {
	hashed := 0
	for it := s.key.Iter(); it.Next(); {
		if it.Value().Str() == hashedKind {
			hashed++
		}
	}
	switch {
	case hashed > 1:
		return mongoerr.New(31303, "A maximum of one index field is allowed to be hashed but found %d for 'key' %s", hashed, s.key.Shell())
	case hashed == 1 && s.unique:
		return mongoerr.New(16764, "Currently hashed indexes cannot guarantee uniqueness. Use a regular index.")
	}
	return nil
}

func (s *indexSpec) checkWildcardProjection() error {
	switch {
	case s.paths.IsMissing():
		return nil
	case s.paths.Type != bsonraw.TypeDocument:
		return mongoerr.New(mongoerr.TypeMismatch, "The field 'wildcardProjection' must be a non-empty object, but got %s", s.paths.Type.Name())
	case s.key.Lookup(everyPath).IsMissing():
		return mongoerr.New(mongoerr.FailedToParse, "The field 'wildcardProjection' is only allowed when 'key' is {\"$**\": ±1}")
	case s.paths.Doc().IsEmpty():
		return mongoerr.New(mongoerr.FailedToParse, "The 'wildcardProjection' field can't be an empty object")
	}
	err := onlyPaths(s.paths.Doc())
	if err == nil {
		_, err = projection.Compile(s.paths.Doc(), projection.Find, nil)
	}
	if err != nil {
		return mongoerr.From(err).Prefix("Failed to parse: wildcardProjection :: caused by :: ")
	}
	return nil
}

// onlyPaths checks that a projection includes or excludes and does nothing else.
func onlyPaths(d bsonraw.Doc) error {
	for it := d.Iter(); it.Next(); {
		v := it.Value()
		switch {
		case len(it.Key()) > 0 && it.Key()[0] == '$',
			v.Type != bsonraw.TypeDocument && v.Type != bsonraw.TypeBool && !v.Type.IsNumber():
			return mongoerr.New(51271, "Bad projection specification, cannot use computed fields: %s", d.Shell())
		case v.Type == bsonraw.TypeDocument:
			if err := onlyPaths(v.Doc()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Indexes of texts. Their specifications are kept and shown as MongoDB does, but they have no entries: nothing is searched by them.

// textLanguages are the languages that default_language may name.
var textLanguages = []string{
	"none", "danish", "da", "dutch", "nl", "english", "en", "finnish", "fi", "french", "fr", "german", "de", "hungarian", "hu", "italian", "it",
	"norwegian", "nb", "portuguese", "pt", "romanian", "ro", "russian", "ru", "spanish", "es", "swedish", "sv", "turkish", "tr",
}

// The bounds of a weight, which are not weights themselves, and the newest version of the format.
const (
	maxTextWeight  = 100_000
	textVersion    = 3
	textFieldsName = "_fts"
	textWeightName = "_ftsx"
)

// completeText gives the specification the form in which it is kept: the texts are two fields of the key, and what they are made of is in the weights.
func (s *indexSpec) completeText() error {
	if s.unique {
		return mongoerr.New(mongoerr.CommandNotSupported, "createIndexes: unique text indexes are not supported by this server")
	}
	weights, err := s.textWeights()
	if err != nil {
		return err
	}
	language, override, version, err := s.textOptions()
	if err != nil {
		return err
	}
	key, err := s.textKey()
	if err != nil {
		return err
	}
	complete, at := bsonraw.BeginDoc(nil)
	complete = bsonraw.AppendDoc(complete, "key", key)
	complete = bsonraw.AppendDoc(complete, "weights", weights)
	complete = bsonraw.AppendString(complete, "default_language", language)
	complete = bsonraw.AppendString(complete, "language_override", override)
	s.given, s.key = updated(s.given, bsonraw.EndDoc(complete, at)), key
	out, at := bsonraw.BeginDoc(nil)
	for it := s.given.Iter(); it.Next(); {
		if string(it.Key()) != "textIndexVersion" {
			out = append(out, it.Elem()...)
		}
	}
	s.given = bsonraw.EndDoc(bsonraw.AppendInt32(out, "textIndexVersion", version), at)
	return nil
}

// updated is a document with other values: in the places of those that it has, then those that it lacks.
func updated(doc, values bsonraw.Doc) bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	for it := doc.Iter(); it.Next(); {
		if v := values.Lookup(string(it.Key())); !v.IsMissing() {
			out = bsonraw.AppendValue(out, it.Key(), v)
		} else {
			out = append(out, it.Elem()...)
		}
	}
	for it := values.Iter(); it.Next(); {
		if doc.Lookup(string(it.Key())).IsMissing() {
			out = append(out, it.Elem()...)
		}
	}
	return bsonraw.EndDoc(out, at)
}

func (s *indexSpec) cannotText(what string) error {
	return mongoerr.New(mongoerr.CannotCreateIndex, "Error in specification %s :: caused by :: %s", s.versioned().Shell(), what)
}

// textWeights gathers the weights of the fields of texts, by name.
func (s *indexSpec) textWeights() (bsonraw.Doc, error) {
	weights := map[string]int32{}
	for it := s.key.Iter(); it.Next(); {
		if name := string(it.Key()); it.Value().Str() == textKind && name != textFieldsName {
			weights[name] = 1
		}
	}
	if !s.weights.IsMissing() && s.weights.Type != bsonraw.TypeDocument {
		if s.weights.Type == bsonraw.TypeString {
			return nil, s.cannotText("text index option 'weights' must be an object")
		}
		return nil, mongoerr.New(mongoerr.TypeMismatch, "The field 'weights' must be an object, but got %s", s.weights.Type.Name())
	}
	for it := s.weights.Doc().Iter(); s.weights.IsDoc() && it.Next(); {
		if !it.Value().Type.IsNumber() {
			return nil, s.cannotText("weight for text index needs numeric type")
		}
		n, _ := it.Value().AsInt64()
		if n <= 0 || n >= maxTextWeight {
			return nil, s.cannotText("text index weight must be in the exclusive interval (0,100000)")
		}
		weights[string(it.Key())] = int32(n)
	}
	if len(weights) == 0 {
		return nil, s.cannotText("a text index needs fields")
	}
	out, at := bsonraw.BeginDoc(nil)
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		out = bsonraw.AppendInt32(out, name, weights[name])
	}
	return bsonraw.EndDoc(out, at), nil
}

func (s *indexSpec) textOptions() (language, override string, version int32, err error) {
	language, override, version = "english", "language", textVersion
	for it := s.given.Iter(); it.Next(); {
		v := it.Value()
		switch name := string(it.Key()); name {
		case "default_language", "language_override":
			if v.Type != bsonraw.TypeString {
				return "", "", 0, mongoerr.New(mongoerr.TypeMismatch, "The field '%s' must be a string, but got %s", name, v.Type.Name())
			}
			if name == "default_language" {
				language = v.Str()
			} else {
				override = v.Str()
			}
		case "textIndexVersion":
			n, ok := v.AsInt64()
			if !ok || n < 1 || n > textVersion {
				return "", "", 0, s.cannotText("bad textIndexVersion: " + v.Shell())
			}
			version = int32(n)
		}
	}
	switch {
	case !slices.Contains(textLanguages, language):
		err = s.cannotText("default_language is not valid")
	case override == "" || override[0] == '$':
		err = s.cannotText("language_override is not valid")
	}
	return language, override, version, err
}

// textKey puts the two fields of texts in the place of the fields that are given, which stand side by side.
func (s *indexSpec) textKey() (bsonraw.Doc, error) {
	out, at := bsonraw.BeginDoc(nil)
	before, inside := true, false
	for it := s.key.Iter(); it.Next(); {
		name := string(it.Key())
		isText := it.Value().Str() == textKind || inside && name == textWeightName
		switch {
		case isText && before:
			out = bsonraw.AppendString(out, textFieldsName, textKind)
			out = bsonraw.AppendInt32(out, textWeightName, 1)
			before, inside = false, true
		case isText && !inside:
			return nil, s.cannotText("'text' fields in index must all be adjacent")
		case !isText:
			inside = false
			out = append(out, it.Elem()...)
		}
	}
	return bsonraw.EndDoc(out, at), nil
}
