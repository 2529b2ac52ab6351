package filter_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
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
		if err := bsonraw.Validate(bsonraw.EndDoc(compiled.AppendViolation(violation, new(expression.Context), doc), at), 10*bsonraw.MaxMessageDepth); err != nil {
			t.Fatalf("%s on %s: %v", bsonraw.Doc(query).Shell(), bsonraw.Doc(doc).Shell(), err)
		}
		again, _, errAgain := compiled.MatchAt(nil, doc)
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

// checkPredicates holds the predicates to their promise: a document that matches has a key for each of them, and one branch of
// each disjunction whose predicates it has keys for.
func checkPredicates(t *testing.T, f *filter.Filter, doc bsonraw.Doc) {
	t.Helper()
	if what := unmet(f.Conjunction(), doc); what != "" {
		t.Fatalf("%s: no key of %s satisfies it", what, doc.Shell())
	}
}

// unmet names a predicate that a document has no key for.
func unmet(c *filter.Conjunction, doc bsonraw.Doc) string {
	for _, p := range c.Predicates {
		found := false
		ranges, _ := p.Ranges(nil)
		err := bsonraw.NewKeyWalk([]bsonraw.Path{bsonraw.NewPath(p.Path)}).Each(doc, func(values []bsonraw.Value) error {
			found = found || slices.ContainsFunc(ranges, func(r filter.Range) bool { return within(values[0], r) })
			return nil
		})
		if err == nil && !found {
			return rangesText(p)
		}
	}
	for _, or := range c.Disjunctions {
		if !slices.ContainsFunc(or, func(branch *filter.Conjunction) bool { return unmet(branch, doc) == "" }) {
			return "every branch of an $or"
		}
	}
	return ""
}

func within(v bsonraw.Value, r filter.Range) bool {
	low, high := bsonraw.Compare(v, r.Low), bsonraw.Compare(v, r.High)
	return (low > 0 || low == 0 && !r.LowOut) && (high < 0 || high == 0 && !r.HighOut)
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
