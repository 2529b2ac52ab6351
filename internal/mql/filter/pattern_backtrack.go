package filter

import "github.com/sluicestream/sluice/internal/mongoerr"

// compileBacktracking compiles a pattern that needs backtracking: lookaround, backreferences, atomic groups and the like. No
// engine for them is built in, so that such a pattern is an error that says which part is at fault.
func compileBacktracking(pattern, _ string, beyond *beyondLinearError) (patternMatcher, error) {
	return nil, mongoerr.New(mongoerr.CommandNotSupported, "Regular expression /%s/ is not supported: it uses %s", pattern, beyond.what)
}
