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
)

// streamsFile says what change streams do, and which scenarios and tests show it.
const streamsFile = "docs/change-streams.md"

var (
	streamsRule  = regexp.MustCompile("(?m)^\\| (.*) \\| ?((?:`[^`]+`(?:, )?)*) ?\\|$")
	shownBy      = regexp.MustCompile("`([^`]+)`")
	scenarioName = regexp.MustCompile(`(?m)^=== (.+)$`)
)

// TestStreamsNameTheirScenarios holds the rules of change streams to what shows them: a rule has a scenario or a test, which there is, and each
// scenario about streams has a rule.
func TestStreamsNameTheirScenarios(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(streamsFile)))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, s := range sources(t) {
		if s.isTest() {
			for _, f := range testFunctions(s) {
				there[f.Name.Name] = true
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "test", "differential", "testdata", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		scenarios, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(filepath.Base(file), ".txt")
		for _, m := range scenarioName.FindAllStringSubmatch(string(scenarios), -1) {
			there[base+"/"+strings.TrimSpace(m[1])] = true
		}
	}
	for _, problem := range unshown(string(text), there) {
		t.Error(problem)
	}
}

// unshown names the rules that nothing shows, what is named and not there, and what is there about streams and not named.
func unshown(text string, there map[string]bool) (problems []string) {
	named := map[string]bool{}
	for _, m := range streamsRule.FindAllStringSubmatch(text, -1) {
		list := shownBy.FindAllStringSubmatch(m[2], -1)
		if len(list) == 0 && m[1] != "Rule" {
			problems = append(problems, fmt.Sprintf("%s: nothing shows the rule %q", streamsFile, m[1]))
		}
		for _, by := range list {
			named[by[1]] = true
			if !there[by[1]] {
				problems = append(problems, fmt.Sprintf("%s: there is no %s", streamsFile, by[1]))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if strings.HasPrefix(name, "streams_") && !named[name] {
			problems = append(problems, fmt.Sprintf("%s: no rule names the scenario %s", streamsFile, name))
		}
	}
	return problems
}

func TestUnshown(t *testing.T) {
	t.Parallel()
	const text = "| Rule | Shown by |\n|---|---|\n| one, `x` | `streams_a/b, c`, `TestA` |\n| two | |\n| three | `TestB` |\n"
	got := unshown(text, map[string]bool{"streams_a/b, c": true, "TestA": true, "streams_a/d": true, "other/e": true})
	want := []string{`nothing shows the rule "two"`, "there is no TestB", "no rule names the scenario streams_a/d"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if !strings.HasSuffix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}
