package repocheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goBlock is a piece of Go code in a document.
var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// snippetImports are the packages that code in the README uses by these names.
var snippetImports = []string{
	"context", "errors", "fmt", "log", "time", "github.com/sluicestream/sluice", "go.mongodb.org/mongo-driver/v2/bson", "go.mongodb.org/mongo-driver/v2/mongo",
}

// TestReadmeCompiles has the compiler and vet look at each piece of Go code in the README.
func TestReadmeCompiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("no Go code in the README")
	}
	for _, block := range blocks {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(asProgram(block[1])), 0o600); err != nil {
			t.Fatal(err)
		}
		vet := exec.CommandContext(t.Context(), "go", "vet", file)
		vet.Dir = root
		if out, err := vet.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\nin:\n%s", err, out, block[1])
		}
	}
}

// asProgram completes functions to a program.
func asProgram(code string) string {
	if strings.HasPrefix(code, "package ") {
		return code
	}
	var b strings.Builder
	b.WriteString("package main\n")
	for _, path := range snippetImports {
		if strings.Contains(code, path[strings.LastIndex(path, "/")+1:]+".") {
			b.WriteString("import \"" + path + "\"\n")
		}
	}
	b.WriteString("type Order struct{ Item, Status string }\n" + code + "\nfunc main() {}\n")
	return b.String()
}
