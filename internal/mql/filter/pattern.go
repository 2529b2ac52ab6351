package filter

import (
	"bytes"
	"errors"
	"regexp"
	"regexp/syntax"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// patternMatcher finds a regular expression in text. It must be safe for concurrent use.
type patternMatcher interface {
	matches(text []byte) bool
}

// compilePattern compiles a regular expression of PCRE. What Go's engine can express, which is what takes linear time, runs
// there; the rest goes to compileBacktracking.
func compilePattern(pattern, options string) (patternMatcher, error) {
	translated, err := translatePattern(pattern, options)
	if err == nil {
		var tree *syntax.Regexp
		if tree, err = syntax.Parse(translated, syntax.Perl); err == nil {
			if m := literalMatcher(tree.Simplify()); m != nil {
				return m, nil
			}
			var compiled *regexp.Regexp
			if compiled, err = regexp.Compile(translated); err == nil {
				return linearMatcher{compiled}, nil
			}
		}
	}
	if beyond, ok := errors.AsType[*beyondLinearError](err); ok {
		return compileBacktracking(pattern, options, beyond)
	}
	return nil, mongoerr.New(codeRegexInvalid, "Regular expression is invalid: %s", syntaxText(err))
}

type linearMatcher struct{ re *regexp.Regexp }

func (m linearMatcher) matches(text []byte) bool { return m.re.Match(text) }

type containsMatcher []byte

func (m containsMatcher) matches(text []byte) bool { return bytes.Contains(text, m) }

type prefixMatcher []byte

func (m prefixMatcher) matches(text []byte) bool { return bytes.HasPrefix(text, m) }

// literalMatcher returns the matcher for plain text, and for plain text at the beginning, which most patterns are; nil for
// everything else.
func literalMatcher(tree *syntax.Regexp) patternMatcher {
	if text, ok := literalText(tree); ok {
		return containsMatcher(text)
	}
	if tree.Op == syntax.OpConcat && len(tree.Sub) == 2 && tree.Sub[0].Op == syntax.OpBeginText {
		if text, ok := literalText(tree.Sub[1]); ok {
			return prefixMatcher(text)
		}
	}
	return nil
}

func literalText(tree *syntax.Regexp) (string, bool) {
	if tree.Op != syntax.OpLiteral || tree.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	return string(tree.Rune), true
}

// beyondLinearError says what in a pattern Go's engine cannot express.
type beyondLinearError struct{ what string }

func (e *beyondLinearError) Error() string { return e.what }

func beyondLinear(what string) error { return &beyondLinearError{what} }

// syntaxText puts an error of Go's parser into PCRE's words.
func syntaxText(err error) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	switch e.Code {
	case syntax.ErrMissingParen:
		return "missing )"
	case syntax.ErrUnexpectedParen:
		return "unmatched parentheses"
	case syntax.ErrMissingBracket:
		return "missing terminating ] for character class"
	case syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp:
		return "nothing to repeat"
	case syntax.ErrTrailingBackslash:
		return `\ at end of pattern`
	case syntax.ErrInvalidCharRange:
		return "range out of order in character class"
	}
	return e.Code.String() + ": " + e.Expr
}
