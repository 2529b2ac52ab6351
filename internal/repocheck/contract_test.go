package repocheck

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/golden"
)

// contractFile says what the client promises, and which tests show it.
const contractFile = "docs/client-contract.md"

var (
	contractRule = regexp.MustCompile(`(?m)^\| ([A-Z][0-9]+) \| (.*) \| ?(.*?) ?\|$`)
	contractMark = regexp.MustCompile(`(?m)^contract: ((?:[A-Z][0-9]+(?:, )?)+)$`)
)

// TestContractNamesItsTests compares the rules with the comments of the client's tests that name them. A rule without a test
// is as wrong as a test of no rule.
func TestContractNamesItsTests(t *testing.T) {
	t.Parallel()
	file := filepath.Join(root, filepath.FromSlash(contractFile))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, problems := withTests(string(text), contractTests(t, sources(t)))
	for _, problem := range problems {
		t.Error(problem)
	}
	if len(problems) == 0 {
		golden.Compare(t, file, want)
	}
}

// contractTests lists the client's tests by the rules that their comments name, with where they run.
func contractTests(t *testing.T, all []source) map[string][]string {
	t.Helper()
	tests := map[string][]string{}
	for _, s := range all {
		if strings.Contains(s.path, "/") || !s.isTest() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, s.path))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range testFunctions(s) {
			body := string(text[s.fset.Position(f.Pos()).Offset:s.fset.Position(f.End()).Offset])
			for _, m := range contractMark.FindAllStringSubmatch(f.Doc.Text(), -1) {
				for rule := range strings.SplitSeq(m[1], ", ") {
					tests[rule] = append(tests[rule], fmt.Sprintf("%s (%s)", f.Name.Name, runsOn(body)))
				}
			}
		}
	}
	return tests
}

// runsOn tells from a test's body what it runs on.
func runsOn(body string) string {
	for _, c := range []struct{ call, name string }{
		{"testmongo.Run(", "engine, mongod"}, {"wireServer{", "wire"}, {"scenario(", "cursor"}, {"streamOn(", "cursor"}, {"engine.Open(", "engine"},
	} {
		if strings.Contains(body, c.call) {
			return c.name
		}
	}
	return "alone"
}

// withTests writes the tests into the tables of a document.
func withTests(text string, tests map[string][]string) (string, []string) {
	var problems []string
	known := map[string]bool{}
	out := contractRule.ReplaceAllStringFunc(text, func(line string) string {
		m := contractRule.FindStringSubmatch(line)
		rule := m[1]
		if known[rule] {
			problems = append(problems, fmt.Sprintf("%s: rule %s is there twice", contractFile, rule))
		}
		known[rule] = true
		if len(tests[rule]) == 0 {
			problems = append(problems, fmt.Sprintf("%s: no test names rule %s: %s", contractFile, rule, m[2]))
		}
		return fmt.Sprintf("| %s | %s | %s |", rule, m[2], strings.Join(slices.Sorted(slices.Values(tests[rule])), ", "))
	})
	for _, rule := range slices.Sorted(maps.Keys(tests)) {
		if !known[rule] {
			problems = append(problems, fmt.Sprintf("%s: no rule %s, which %s names", contractFile, rule, tests[rule][0]))
		}
	}
	return out, problems
}

func TestWithTests(t *testing.T) {
	t.Parallel()
	const text = "| Rule | | Tests |\n|---|---|---|\n| A1 | one | |\n| A2 | two | TestOld (wire) |\n"
	got, problems := withTests(text, map[string][]string{"A1": {"TestB (wire)", "TestA (engine)"}, "A2": {"TestC (cursor)"}})
	if want := "| Rule | | Tests |\n|---|---|---|\n| A1 | one | TestA (engine), TestB (wire) |\n| A2 | two | TestC (cursor) |\n"; got != want || problems != nil {
		t.Errorf("%q, %v", got, problems)
	}
	_, problems = withTests(text, map[string][]string{"A1": {"TestA"}, "B9": {"TestB"}})
	if len(problems) != 2 || !strings.Contains(problems[0], "no test names rule A2") || !strings.Contains(problems[1], "no rule B9") {
		t.Errorf("%q", problems)
	}
}
