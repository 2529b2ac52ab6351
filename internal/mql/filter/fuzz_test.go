package filter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// FuzzFilter compiles any document as a filter and runs it on any other. Nothing may panic, and the ways to ask must agree.
func FuzzFilter(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	doc := parse(f, order)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if query, _, ok := strings.Cut(line, arrow); ok {
				f.Add([]byte(parse(f, query)), []byte(doc))
			}
		}
	}
	for _, c := range everyday {
		f.Add([]byte(parse(f, c.query)), []byte(doc))
	}
	f.Fuzz(func(t *testing.T, query, doc []byte) {
		if bsonraw.Validate(query, bsonraw.MaxMessageDepth) != nil || bsonraw.Validate(doc, bsonraw.MaxMessageDepth) != nil {
			return
		}
		_, _ = filter.CompileElem(bsonraw.Doc(query).Value(), filter.Options{})
		_, _ = filter.CompileElemMatch(bsonraw.Doc(query).Value(), filter.Options{})
		compiled, err := filter.Compile(query, filter.Options{})
		if err != nil {
			return
		}
		_, _ = compiled.Equalities()
		ok, err := compiled.Match(doc)
		violation, at := bsonraw.BeginDoc(nil)
		if err := bsonraw.Validate(bsonraw.EndDoc(compiled.AppendViolation(violation, doc), at), 10*bsonraw.MaxMessageDepth); err != nil {
			t.Fatalf("%s on %s: %v", bsonraw.Doc(query).Shell(), bsonraw.Doc(doc).Shell(), err)
		}
		again, _, errAgain := compiled.MatchAt(doc)
		if random := strings.Contains(string(query), "$sampleRate"); !random && (ok != again || (err == nil) != (errAgain == nil)) {
			t.Fatalf("%s on %s: Match %v, %v; MatchAt %v, %v", bsonraw.Doc(query).Shell(), bsonraw.Doc(doc).Shell(), ok, err, again, errAgain)
		}
		if ok && compiled.IsNever() {
			t.Fatalf("%s takes a document but says that it takes none", bsonraw.Doc(query).Shell())
		}
		if ok && err == nil {
			checkPredicates(t, compiled, doc)
		}
	})
}

// checkPredicates holds the conjuncts to their promise: a document that matches has a key for each of them.
func checkPredicates(t *testing.T, f *filter.Filter, doc bsonraw.Doc) {
	t.Helper()
	for _, p := range f.Conjuncts() {
		found := false
		err := bsonraw.NewKeyWalk([]bsonraw.Path{bsonraw.NewPath(p.Path)}).Each(doc, func(values []bsonraw.Value) error {
			found = found || satisfies(values[0], p)
			return nil
		})
		if err == nil && !found {
			t.Fatalf("%s %s %s: no key of %s satisfies it", p.Path, p.Op, p.Value.Shell(), doc.Shell())
		}
	}
}

func satisfies(key bsonraw.Value, p filter.Predicate) bool {
	if p.Op == filter.In {
		for _, v := range p.Values {
			if satisfies(key, filter.Predicate{Op: filter.Eq, Value: v}) {
				return true
			}
		}
		return false
	}
	order := bsonraw.Compare(key, p.Value)
	inClass := key.Type.Class() == p.Value.Type.Class()
	switch p.Op {
	case filter.Eq:
		return order == 0 || p.Value.Type == bsonraw.TypeNull && key.Type == bsonraw.TypeUndefined
	case filter.Lt:
		return inClass && order < 0
	case filter.Lte:
		return inClass && order <= 0
	case filter.Gt:
		return inClass && order > 0
	case filter.Gte:
		return inClass && order >= 0
	}
	return !key.IsMissing()
}

// FuzzPattern translates any pattern. Nothing may panic, and what is accepted must run.
func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{
		"abc", "^a", "a$", "(?i)a(?-i:b)", "[]a-z[:alpha:]\\w]", "\\Qa.b\\E+", "\\x{41}\\101\\o{101}\\cA", "(?<n>a|b){1,3}?", "a(?#c)b", "\\p{Lu}\\PL",
		"(?=a)", "(a)\\1", "a++", "[^\\S\\D]", "\\", "[", "(", "a{2,1}", "\\N{", "(?", "(?i", "[[:", "\\x{", "{", "a|*",
	} {
		for _, options := range []string{"", "i", "msx"} {
			f.Add(pattern, options, "aAbé\n")
		}
	}
	f.Fuzz(func(t *testing.T, pattern, options, text string) {
		if strings.ContainsRune(pattern+options, 0) || len(pattern) > 1000 {
			return
		}
		d, at := bsonraw.BeginDoc(nil)
		d, inner := bsonraw.BeginElem(d, bsonraw.TypeDocument, "s")
		d = bsonraw.AppendString(d, "$regex", pattern)
		d = bsonraw.AppendString(d, "$options", options)
		compiled, err := filter.Compile(bsonraw.EndDoc(bsonraw.EndDoc(d, inner), at), filter.Options{})
		if err != nil {
			return
		}
		if _, err := compiled.Match(element("s", bsonraw.StringValue(text))); err != nil {
			t.Fatal(err)
		}
	})
}
