package pattern

import (
	"errors"
	"fmt"
	"testing"

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
	} {
		s, err := CompileSearch(c.pattern, c.options)
		if err != nil {
			t.Fatalf("/%s/: %v", c.pattern, err)
		}
		m, ok := s.Find([]byte(c.text), c.from)
		if got := fmt.Sprint(m, ok); got != c.want {
			t.Errorf("/%s/ in %q from %d gave %s, want %s", c.pattern, c.text, c.from, got, c.want)
		}
	}
}

func TestSearchRefusesWhatItCannotExpress(t *testing.T) {
	t.Parallel()
	if _, err := CompileSearch("(?=a)", ""); !mongoerr.Is(err, mongoerr.CommandNotSupported) {
		t.Errorf("lookaround gave %v, want CommandNotSupported", err)
	}
	_, err := CompileSearch("(", "")
	if wrong, ok := errors.AsType[*SyntaxError](err); !ok || wrong.What != "missing )" {
		t.Errorf("an open group gave %v, want the words of PCRE", err)
	}
}
