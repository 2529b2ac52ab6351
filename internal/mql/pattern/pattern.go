// Package pattern runs regular expressions of PCRE, the language of $regex and $regexMatch. A pattern is translated for Go's
// engine, which takes linear time, or where that one cannot express it for one that backtracks, which is given up after a time
// ([Limit]). What neither can express is an error that names it. What filters and expressions make of a match does not belong
// here.
package pattern

import (
	"bytes"
	"errors"
	"regexp"
	"regexp/syntax"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// Matcher finds a regular expression in text. It is safe for concurrent use.
type Matcher interface {
	// Match reports whether the expression is found in text.
	Match(text []byte) bool
}

// SyntaxError is a mistake in a regular expression, in PCRE's words.
type SyntaxError struct{ What string }

func (e *SyntaxError) Error() string { return e.What }

// Compile compiles a regular expression of PCRE with its options, letters of "imsxu". The error is a [*SyntaxError], or one with
// CommandNotSupported for a pattern that no engine here can express.
func Compile(pattern, options string) (Matcher, error) {
	t := newTranslator(pattern, options)
	translated, err := t.translate()
	if isBeyondLinear(t, translated, err) {
		re, _, err := compileBacktracking(pattern, options)
		if err != nil {
			return nil, compileError(pattern, err)
		}
		return backtrackingMatcher{re}, nil
	}
	if err == nil {
		var tree *syntax.Regexp
		if tree, err = syntax.Parse(translated, syntax.Perl); err == nil {
			if m := literalMatcher(tree.Simplify()); m != nil {
				return m, nil
			}
			var compiled *regexp.Regexp
			if compiled, err = regexp.Compile(translated); err == nil {
				return linearMatcher{compiled, literalPrefix(tree)}, nil
			}
		}
	}
	return nil, compileError(pattern, err)
}

// isBeyondLinear reports whether a pattern that was translated for Go's engine needs the other one: for what it is made of, or
// because it may be found behind a newline that ends the text, where PCRE sees no line.
func isBeyondLinear(t *translator, translated string, err error) bool {
	if _, beyond := errors.AsType[*beyondLinearError](err); beyond || err != nil {
		return beyond
	}
	if !t.lines {
		return false
	}
	re, err := regexp.Compile(translated)
	return err == nil && re.MatchString("")
}

// compileError makes the error of Compile and CompileSearch of what went wrong.
func compileError(pattern string, err error) error {
	if beyond, ok := errors.AsType[*beyondBothError](err); ok {
		return mongoerr.New(mongoerr.CommandNotSupported, "Regular expression /%s/ is not supported: it uses %s", pattern, beyond.what)
	}
	return &SyntaxError{syntaxText(err)}
}

// IsSlow reports whether the time that m takes is bounded by a clock alone, not by the length of the text.
func IsSlow(m Matcher) bool {
	_, ok := m.(backtrackingMatcher)
	return ok
}

// Prefix returns the text with which all texts begin that m matches. It may be empty.
func Prefix(m Matcher) string {
	switch m := m.(type) {
	case prefixMatcher:
		return string(m)
	case linearMatcher:
		return m.prefix
	}
	return ""
}

// literalPrefix is what stands plainly behind the beginning of the text.
func literalPrefix(tree *syntax.Regexp) string {
	if tree.Op != syntax.OpConcat || len(tree.Sub) < 2 || tree.Sub[0].Op != syntax.OpBeginText {
		return ""
	}
	text, _ := literalText(tree.Sub[1])
	return text
}

type linearMatcher struct {
	re     *regexp.Regexp
	prefix string
}

func (m linearMatcher) Match(text []byte) bool { return m.re.Match(text) }

type containsMatcher []byte

func (m containsMatcher) Match(text []byte) bool { return bytes.Contains(text, m) }

type prefixMatcher []byte

func (m prefixMatcher) Match(text []byte) bool { return bytes.HasPrefix(text, m) }

// literalMatcher returns the matcher for plain text, and for plain text at the beginning, which most patterns are; nil for
// everything else.
func literalMatcher(tree *syntax.Regexp) Matcher {
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

// beyondBothError says what in a pattern neither engine can express.
type beyondBothError struct{ what string }

func (e *beyondBothError) Error() string { return e.what }

func beyondBoth(what string) error { return &beyondBothError{what} }

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
