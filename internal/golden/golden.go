// Package golden compares what code gives with the files that tests keep of it. With the flag -rewrite, which every test
// that uses the package has, the files are written instead; the difference is to be read then.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the code gives into the golden files instead of comparing")

// Compare compares a text with a file, line by line, or rewrites the file.
func Compare(tb testing.TB, path, got string) {
	tb.Helper()
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			tb.Fatalf("write a golden file: %v", err)
		}
		return
	}
	gots, wants := strings.Split(got, "\n"), strings.Split(Read(tb, path), "\n")
	wrong := 0
	for i := range max(len(gots), len(wants)) {
		if g, w := line(gots, i), line(wants, i); g != w {
			tb.Errorf("%s:%d: (-rewrite accepts it)\n got %s\nwant %s", path, i+1, g, w)
			wrong++
		}
		if wrong == 10 || wrong > 0 && len(gots) != len(wants) { // what follows is the same, moved
			return
		}
	}
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}

// Read returns the text of a file.
func Read(tb testing.TB, path string) string {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatalf("read a golden file: %v", err)
	}
	return string(text)
}

// Files runs a test for each file that matches pattern, as parallel subtests. run makes of the file's text what it should be.
func Files(t *testing.T, pattern string, run func(t *testing.T, text string) string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files %s: %v", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), func(t *testing.T) {
			t.Parallel()
			Compare(t, path, run(t, Read(t, path)))
		})
	}
}

// Lines does the same for files in testdata whose lines follow from themselves and those before: begin returns, for each
// file anew, a function that makes of each line what it should be. Empty lines and comments (#) are passed over.
func Lines(t *testing.T, begin func(t *testing.T) func(line string) string) {
	t.Helper()
	Files(t, "testdata/*.txt", func(t *testing.T, text string) string {
		t.Helper()
		next := begin(t)
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if line != "" && line[0] != '#' {
				lines[i] = next(line)
			}
		}
		return strings.Join(lines, "\n")
	})
}
