package repocheck

import (
	"fmt"
	"go/ast"
	"go/types"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// publicFolders are those of the packages that users import.
var publicFolders = []string{".", "engine", "enginetest", "sluiceprom"}

// What a comment has to tell, by what it is about. Whether it is true, readers have to find out.
var (
	tellsErrors  = regexp.MustCompile(`(?i)\berrors?\b|Err[A-Z]|\bfail|\bnil\b|refuse|\breports?\b`)
	tellsDefault = regexp.MustCompile(`(?i)default|\bzero\b|\b0:|\b0 means|\bnil\b|empty|\bnone\b|\boff\b|without|leave it|fetch only when|""`)
	tellsUnit    = regexp.MustCompile(`(?i)bytes|events|elements|seconds|milliseconds|clients|cursors|number|code|\b1\b|increment|size`)
)

// TestExportedNamesAreDocumented holds everything that users can name to having a comment, functions that fail to telling
// how, settings to telling their default, and numbers to telling what they count.
func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	names := 0
	for _, s := range sources(t) {
		if s.isTest() || !slices.Contains(publicFolders, path.Dir(s.path)) || s.file.Name.Name == "main" {
			continue
		}
		problems, n := undocumented(s)
		names += n
		for _, problem := range problems {
			t.Error(problem)
		}
	}
	t.Logf("%d exported names", names)
	if names < 100 {
		t.Errorf("only %d exported names were found", names)
	}
}

// undocumented names what a file lacks, and says how many exported names it declares.
func undocumented(s source) (problems []string, names int) {
	check := func(name, text string, needs ...*regexp.Regexp) {
		names++
		if strings.TrimSpace(text) == "" {
			problems = append(problems, fmt.Sprintf("%s: %s has no comment", s.path, name))
			return
		}
		for _, need := range needs {
			if !need.MatchString(text) {
				what := map[*regexp.Regexp]string{tellsErrors: "its errors", tellsDefault: "its default", tellsUnit: "what it counts"}[need]
				problems = append(problems, fmt.Sprintf("%s: the comment of %s does not tell %s", s.path, name, what))
			}
		}
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if !d.Name.IsExported() || d.Recv != nil && !ast.IsExported(receiver(d)) {
				continue
			}
			var needs []*regexp.Regexp
			if returnsError(d.Type) {
				needs = append(needs, tellsErrors)
			}
			check(declaredName(d), d.Doc.Text(), needs...)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if name.IsExported() {
							check(name.Name, spec.Doc.Text()+spec.Comment.Text()+d.Doc.Text())
						}
					}
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						check(spec.Name.Name, spec.Doc.Text()+d.Doc.Text())
						checkFields(spec, spec.Doc.Text()+d.Doc.Text(), check)
					}
				}
			}
		}
	}
	return problems, names
}

// settings are the structs whose fields users fill in.
var settings = []string{"Options", "Retry", "ReadAhead", "Config"}

func checkFields(spec *ast.TypeSpec, doc string, check func(string, string, ...*regexp.Regexp)) {
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range structure.Fields.List {
		for _, name := range field.Names {
			if !name.IsExported() {
				continue
			}
			var needs []*regexp.Regexp
			kind := types.ExprString(field.Type)
			isFlag := kind == "bool"
			if slices.Contains(settings, spec.Name.Name) && !isFlag && !strings.HasPrefix(kind, "func") {
				needs = append(needs, tellsDefault)
			}
			if slices.Contains([]string{"int", "int32", "int64", "uint64"}, kind) {
				needs = append(needs, tellsUnit)
			}
			text := field.Doc.Text() + field.Comment.Text()
			if len(structure.Fields.List) == 1 {
				text += doc // `DB, Coll string`, told by the type's comment
			}
			check(spec.Name.Name+"."+name.Name, text, needs...)
		}
	}
}

func returnsError(f *ast.FuncType) bool {
	if f.Results == nil {
		return false
	}
	for _, result := range f.Results.List {
		if types.ExprString(result.Type) == "error" {
			return true
		}
	}
	return false
}

func TestUndocumented(t *testing.T) {
	t.Parallel()
	cases := []struct{ text, want string }{
		{"// F does.\nfunc F() {}", ""},
		{"func F() {}", "a.go: F has no comment"},
		{"func f() {}\nfunc (t t) F() {}", ""},
		{"// F does.\nfunc (t *T[K]) F() (int, error) { }", "a.go: the comment of T.F does not tell its errors"},
		{"// F does. Its error is ErrX.\nfunc F() error { }", ""},
		{"// The kinds.\nconst (\n A = 1\n b = 2\n)", ""},
		{"var A, B = 1, 2 // two of them", ""},
		{"var A = 1", "a.go: A has no comment"},
		{"// Config is it.\ntype Config struct {\n\t// Dir is where.\n\tDir string\n}", "a.go: the comment of Config.Dir does not tell its default"},
		{"// T is it.\ntype T struct {\n\tN int // how many\n\tM int // bytes\n\tx int\n}", "a.go: the comment of T.N does not tell what it counts"},
		{"// T is it.\ntype T struct {\n\tA string\n\tB int // bytes\n}", "a.go: T.A has no comment"},
	}
	for _, c := range cases {
		s, err := parse("a.go", []byte("package a\n"+c.text))
		if err != nil {
			t.Fatal(err)
		}
		if problems, _ := undocumented(s); strings.Join(problems, "\n") != c.want {
			t.Errorf("%q: got %q, want %q", c.text, strings.Join(problems, "\n"), c.want)
		}
	}
}
