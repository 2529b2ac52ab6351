package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/golden"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	for _, args := range [][]string{{"--help"}, {"watch", "--help"}, {"serve", "--help"}, {"version", "--help"}} {
		code, stdout, stderr := runToEnd(t, nil, strings.NewReader(""), args...)
		if code != exitDone || stderr != "" {
			t.Errorf("%v: exit code %d, stderr %q", args, code, stderr)
		}
		fmt.Fprintf(&out, "$ sluice %s\n%s\n", strings.Join(args, " "), stdout)
	}
	golden.Compare(t, "testdata/help.txt", out.String())
}

// TestUsageErrors runs testdata/usage.txt: command lines after "$ sluice", with variables before the program's name, and
// what they print. Every one of them must end before anything is opened.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "usage.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		title, _, _ := strings.Cut(block, "\n")
		words := splitWords(strings.TrimPrefix(title, "$ "))
		vars := map[string]string{}
		for words[0] != programName {
			name, value, _ := strings.Cut(words[0], "=")
			vars[name] = value
			words = words[1:]
		}
		code, stdout, stderr := runToEnd(t, vars, strings.NewReader("{}"), words[1:]...)
		if code != exitUsage || stdout != "" {
			t.Errorf("%s: exit code %d, stdout %q", title, code, stdout)
		}
		fmt.Fprintf(&out, "%s\n%s\n", title, stderr)
	}
	golden.Compare(t, "testdata/usage.txt", strings.TrimSuffix(out.String(), "\n"))
}

// splitWords splits at spaces outside of single quotes.
func splitWords(s string) []string {
	var words []string
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			words[len(words)-1] += part
			continue
		}
		fields := strings.Split(part, " ")
		if i > 0 {
			words[len(words)-1] += fields[0]
			fields = fields[1:]
		}
		words = append(words, fields...)
	}
	return words
}
