package repocheck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository's top folder, seen from this package, where `go test` runs.
const root = "../.."

// source is one parsed Go file. path is relative to the repository's root, with slashes.
type source struct {
	path  string
	lines int
	file  *ast.File
	fset  *token.FileSet
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// span is the number of lines that a node covers, its first and last included.
func (s source) span(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

// parse reads one Go file.
func parse(path string, text []byte) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	lines := strings.Count(string(text), "\n")
	return source{path: path, lines: lines, file: file, fset: fset}, nil
}

// files lists the repository's files in the nested modules too, without hidden folders and installed packages.
func files(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") && name != ".ci" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		paths = append(paths, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatalf("list the repository's files: %v", err)
	}
	return paths
}

// sources parses every hand-written Go file of the repository.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, path := range files(t) {
		if !strings.HasSuffix(path, ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			t.Fatalf("read a source file: %v", err)
		}
		s, err := parse(path, text)
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		if !ast.IsGenerated(s.file) {
			all = append(all, s)
		}
	}
	if len(all) < 3 {
		t.Fatalf("found %d Go files under %s, which cannot be the repository", len(all), root)
	}
	return all
}

// testFunctions lists the tests of a file.
func testFunctions(s source) []*ast.FuncDecl {
	var found []*ast.FuncDecl
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
			found = append(found, f)
		}
	}
	return found
}
