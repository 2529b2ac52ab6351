package pattern

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

func TestSearchTellsPlacesAndGroups(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, options, text string
		from                   int
		want                   string
	}{
		{"b", "", "abcb", 0, "{1 2 []} true"},
		{"b", "", "abcb", 2, "{3 4 []} true"},
		{"^a", "", "aa", 1, "{0 0 []} false"},
		{"^b", "m", "a\nb", 2, "{2 3 []} true"},
		{`\bb`, "", "ab b", 1, "{3 4 []} true"},
		{"(a)(x)?(b)", "", "zab", 0, "{1 3 [[1 2] [-1 -1] [2 3]]} true"},
		{"(?<n>é)", "", "aé", 1, "{1 3 [[1 3]]} true"},
		{"a$", "", "a\n", 0, "{0 1 []} true"},
		{"(a$)", "", "a\n", 0, "{0 1 [[0 1]]} true"},
		{"a+?", "", "aaa", 0, "{0 1 []} true"},
		{"", "", "日本", 3, "{3 3 []} true"},
		{"(?<=é)b", "", "aéb", 1, "{3 4 []} true"},
		{`(é)(x)?\1`, "", "aéébéé", 0, "{1 5 [[1 3] [-1 -1]]} true"},
		{`(é)(x)?\1`, "", "aéébéé", 3, "{6 10 [[6 8] [-1 -1]]} true"},
		{"(?<=(a))b", "", "ab", 1, "{1 2 [[0 1]]} true"},
		{"(?=a$)a", "", "a\n", 0, "{0 1 []} true"},
		{`^b(?=)`, "", "ab", 1, "{0 0 []} false"},
	} {
		s, err := CompileSearch(c.pattern, c.options)
		if err != nil {
			t.Fatalf("/%s/: %v", c.pattern, err)
		}
		m, ok, err := s.In([]byte(c.text)).Find(c.from)
		if got := fmt.Sprint(m, ok); got != c.want || err != nil {
			t.Errorf("/%s/ in %q from %d gave %s, want %s", c.pattern, c.text, c.from, got, c.want)
		}
	}
}

func TestSearchRefusesWhatItCannotExpress(t *testing.T) {
	t.Parallel()
	if _, err := CompileSearch("(?R)", ""); !mongoerr.Is(err, mongoerr.CommandNotSupported) {
		t.Errorf("recursion gave %v, want CommandNotSupported", err)
	}
	_, err := CompileSearch("(", "")
	if wrong, ok := errors.AsType[*SyntaxError](err); !ok || wrong.What != "missing )" {
		t.Errorf("an open group gave %v, want the words of PCRE", err)
	}
}

// A hostile pattern is given up in time, and finds nothing.
func TestSearchesAreBounded(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{`^(a+)+\1$`, `(?=(a|aa)+$)b`, `(?:(?=a)a|a\B)+$`} {
		re, _, err := compileBacktracking(pattern, "")
		if err != nil {
			t.Fatalf("/%s/: %v", pattern, err)
		}
		re.MatchTimeout = 10 * time.Millisecond
		text := []byte(strings.Repeat("a", 5_000) + "c")
		if (backtrackingMatcher{re}).Match(text) {
			t.Errorf("/%s/ is found", pattern)
		}
		if _, ok, err := (&Search{back: re}).In(text).Find(0); ok || !errors.Is(err, ErrLimit) && err != nil {
			t.Errorf("/%s/ is found, or the error is %v", pattern, err)
		}
	}
}

func TestTheClockEndsWithTheLastHolder(t *testing.T) { //nolint:paralleltest // the clock is everybody's
	Hold()
	Hold()
	m, err := Compile("(?<=a)b", "")
	if err != nil || !m.Match([]byte("ab")) {
		t.Fatalf("compile and match: %v", err)
	}
	Release()
	if !clock.used.Load() {
		t.Error("the clock ended although somebody holds it")
	}
	Release()
	if clock.used.Load() {
		t.Error("the clock goes on although nobody holds it")
	}
}
