package repocheck

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// The budgets keep every piece small enough to be read at one sitting. Whoever meets one splits by topic; none is raised.
const (
	fileSoftLines  = 400 // reported, not failed
	fileHardLines  = 800
	testFileLines  = 1500
	functionLines  = 80 // not in tests, where tables of cases are long
	structFields   = 24
	methodsPerType = 25 // not in tests
)

// vagueNames are names of packages that say nothing about what belongs in them.
var vagueNames = []string{"util", "utils", "common", "types", "helper", "helpers", "misc", "shared"}

func TestBudgets(t *testing.T) {
	t.Parallel()
	all := sources(t)
	for _, problem := range overBudget(all) {
		t.Error(problem)
	}
	for _, s := range all {
		if !s.isTest() && s.lines > fileSoftLines {
			t.Logf("%s: %d lines, over the soft budget of %d", s.path, s.lines, fileSoftLines)
		}
	}
}

// overBudget names everything in all that is larger than its budget, in the order of the files.
func overBudget(all []source) []string {
	var problems []string
	complain := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	methods := map[string]int{} // by folder and type name
	for _, s := range all {
		limit := fileHardLines
		if s.isTest() {
			limit = testFileLines
		}
		if s.lines > limit {
			complain("%s: %d lines, at most %d", s.path, s.lines, limit)
		}
		if name := strings.TrimSuffix(s.file.Name.Name, "_test"); slices.Contains(vagueNames, name) {
			complain("%s: package %s: name what it holds", s.path, name)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if s.isTest() {
					break
				}
				if lines := s.span(n); lines > functionLines {
					complain("%s: func %s: %d lines, at most %d", s.path, declaredName(n), lines, functionLines)
				}
				if n.Recv != nil {
					methods[path.Dir(s.path)+" "+receiver(n)]++
				}
			case *ast.TypeSpec:
				if fields, isStruct := n.Type.(*ast.StructType); isStruct && countNames(fields.Fields) > structFields {
					complain("%s: struct %s: %d fields, at most %d", s.path, n.Name.Name, countNames(fields.Fields), structFields)
				}
				if list, isInterface := n.Type.(*ast.InterfaceType); isInterface && countNames(list.Methods) > methodsPerType {
					complain("%s: interface %s: %d methods, at most %d", s.path, n.Name.Name, countNames(list.Methods), methodsPerType)
				}
			}
			return true
		})
	}
	for _, owner := range slices.Sorted(maps.Keys(methods)) {
		if methods[owner] > methodsPerType {
			dir, name, _ := strings.Cut(owner, " ")
			complain("%s: type %s: %d methods, at most %d", dir, name, methods[owner], methodsPerType)
		}
	}
	return problems
}

// countNames counts fields as a reader does: `a, b int` is two, an embedded type is one.
func countNames(list *ast.FieldList) int {
	n := 0
	for _, field := range list.List {
		n += max(1, len(field.Names))
	}
	return n
}

// receiver is the name of the type that a method belongs to, or "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return ""
	}
	for expr := f.Recv.List[0].Type; ; {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

// declaredName is how documents call a function: Name, or Type.Name for a method.
func declaredName(f *ast.FuncDecl) string {
	if r := receiver(f); r != "" {
		return r + "." + f.Name.Name
	}
	return f.Name.Name
}

func TestOverBudgetFindsEachKind(t *testing.T) {
	t.Parallel()
	many := func(n int, line string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line+"\n", i)
		}
		return b.String()
	}
	cases := []struct{ name, path, text, want string }{
		{"file", "a/a.go", "package a\n" + many(fileHardLines, "// %d"), "a/a.go: 801 lines, at most 800"},
		{"test file", "a/a_test.go", "package a\n" + many(testFileLines, "// %d"), "a/a_test.go: 1501 lines, at most 1500"},
		{"function", "a/a.go", "package a\nfunc (t *T[K]) f() {\n" + many(functionLines-1, "_ = %d") + "}\n", "a/a.go: func T.f: 81 lines, at most 80"},
		{"struct", "a/a.go", "package a\ntype t struct {\n" + many(structFields, "f%d int") + "a, b int }\n", "a/a.go: struct t: 26 fields, at most 24"},
		{"interface", "a/a.go", "package a\ntype t interface {\n" + many(methodsPerType+1, "f%d()") + "}\n", "a/a.go: interface t: 26 methods, at most 25"},
		{"methods", "a/a.go", "package a\n" + many(methodsPerType+1, "func (t *T) f%d() {}"), "a: type T: 26 methods, at most 25"},
		{"vague name", "a/a.go", "package util\n", "a/a.go: package util: name what it holds"},
		{"within", "a/a.go", "package a\n" + many(fileHardLines-1, "// %d"), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := parse(c.path, []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(overBudget([]source{s}), "\n"); got != c.want {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}
