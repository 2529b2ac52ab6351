package repocheck

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// reference finds what a document says about the code: a Go file, alone or with a name declared in it (`store/commit.go:Store.Commit`),
// or, within backquotes, a path that ends in a slash (`internal/wire/`). Asterisks stand for any text within one element.
var reference = regexp.MustCompile("([A-Za-z0-9_./*-]+\\.go)\\b(?::([A-Za-z0-9_.]+))?|`([A-Za-z0-9_.-][A-Za-z0-9_./-]*/)`")

func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	paths := files(t)
	names := declarations(sources(t))
	documents := 0
	for _, p := range paths {
		if !strings.HasSuffix(p, ".md") {
			continue
		}
		documents++
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p)))
		if err != nil {
			t.Fatalf("read a document: %v", err)
		}
		for _, problem := range danglingReferences(string(text), paths, names) {
			t.Errorf("%s: %s", p, problem)
		}
	}
	t.Logf("checked %d documents against %d files", documents, len(paths))
}

// danglingReferences tells which references of a document lead nowhere.
func danglingReferences(text string, paths []string, names map[string][]string) []string {
	var problems []string
	for n, line := range strings.Split(text, "\n") {
		for _, m := range reference.FindAllStringSubmatch(line, -1) {
			file, name, folder := m[1], strings.TrimSuffix(m[2], "."), m[3]
			if strings.Contains(line, "://") && strings.Contains(m[0], "//") {
				continue
			}
			if folder != "" {
				if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, folder) || strings.Contains(p, "/"+folder) }) {
					problems = append(problems, fmt.Sprintf("line %d: no folder %s", n+1, folder))
				}
				continue
			}
			found := matching(file, paths)
			switch {
			case len(found) == 0:
				problems = append(problems, fmt.Sprintf("line %d: no file %s", n+1, file))
			case name != "" && !slices.ContainsFunc(found, func(p string) bool { return slices.Contains(names[p], name) }):
				problems = append(problems, fmt.Sprintf("line %d: no %s in %s (a function, Type.Method, type, constant or variable; never a line number)", n+1, name, file))
			}
		}
	}
	return problems
}

// matching lists the files that a document may mean: the path from the root, or its last elements.
func matching(pattern string, paths []string) []string {
	elements := strings.Count(pattern, "/") + 1
	var found []string
	for _, p := range paths {
		parts := strings.Split(p, "/")
		if len(parts) < elements {
			continue
		}
		if ok, err := path.Match(pattern, strings.Join(parts[len(parts)-elements:], "/")); err == nil && ok {
			found = append(found, p)
		}
	}
	return found
}

// declarations lists by file what it declares at its top level, methods as Type.Method.
func declarations(all []source) map[string][]string {
	names := map[string][]string{}
	for _, s := range all {
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names[s.path] = append(names[s.path], declaredName(d))
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						names[s.path] = append(names[s.path], spec.Name.Name)
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							names[s.path] = append(names[s.path], name.Name)
						}
					}
				}
			}
		}
	}
	return names
}

func TestDanglingReferences(t *testing.T) {
	t.Parallel()
	paths := []string{"doc.go", "internal/store/commit.go", "example_resume_test.go"}
	names := map[string][]string{"internal/store/commit.go": {"Store", "Store.Commit", "seq"}}
	cases := []struct{ text, want string }{
		{"see `internal/store/commit.go:Store.Commit`, `store/commit.go:seq` and doc.go.", ""},
		{"in internal/store/commit.go: the end. And commit.go:Store.", ""},
		{"`example_*_test.go`, `internal/store/` and `store/`", ""},
		{"https://example.org/internal/gone.go", ""},
		{"an ordinary `a/b` and `and/or` stay alone", ""},
		{"ok\n`internal/store/gone.go`", "line 2: no file internal/store/gone.go"},
		{"`other/commit.go`", "line 1: no file other/commit.go"},
		{"`internal/gone/`", "line 1: no folder internal/gone/"},
		{"commit.go:Store.Apply", "line 1: no Store.Apply in commit.go (a function, Type.Method, type, constant or variable; never a line number)"},
		{"commit.go:12", "line 1: no 12 in commit.go (a function, Type.Method, type, constant or variable; never a line number)"},
	}
	for _, c := range cases {
		if got := strings.Join(danglingReferences(c.text, paths, names), "\n"); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}
