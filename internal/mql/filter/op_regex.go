package filter

import (
	"bytes"
	"errors"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/pattern"
)

// Codes of errors in regular expressions.
const (
	codeRegexInvalid    mongoerr.Code = 51091
	codeRegexBadOption  mongoerr.Code = 51108
	codeRegexTwoOptions mongoerr.Code = 51075
)

// regexValue reads a field's value that is a regular expression: {a: /x/i}.
func (p *parser) regexValue(path bsonraw.Path, v bsonraw.Value) (*clause, error) {
	pattern, options := v.Regex()
	c, err := newRegex(path, string(pattern), string(options))
	if err != nil {
		return nil, err
	}
	c.said = said{name: "$regex", arg: v, plain: true}
	return c, nil
}

// parseRegex reads $regex with the $options that stand beside it.
func parseRegex(_ *parser, c condition) (*clause, error) {
	options := c.all.Lookup("$options")
	if !options.IsMissing() && options.Type != bsonraw.TypeString {
		return nil, badValue("$options has to be a string")
	}
	switch c.arg.Type {
	case bsonraw.TypeString:
		return newRegex(c.path, c.arg.Str(), options.Str())
	case bsonraw.TypeRegex:
		pattern, own := c.arg.Regex()
		if options.IsMissing() {
			return newRegex(c.path, string(pattern), string(own))
		}
		if len(own) > 0 {
			return nil, mongoerr.New(codeRegexTwoOptions, "options set in both $regex and $options")
		}
		return newRegex(c.path, string(pattern), options.Str())
	}
	return nil, badValue("$regex has to be a string")
}

func parseOptions(_ *parser, c condition) (*clause, error) {
	if c.all.Lookup("$regex").IsMissing() {
		return nil, badValue("$options needs a $regex")
	}
	return nil, nil
}

func newRegex(path bsonraw.Path, text, options string) (*clause, error) {
	for i := range len(options) {
		switch options[i] {
		case 'i', 'm', 's', 'x', 'u':
		default:
			return nil, mongoerr.New(codeRegexBadOption, " invalid flag in regex options: %c", options[i])
		}
	}
	if bytes.IndexByte([]byte(text), 0) >= 0 {
		return nil, badValue("Regular expression cannot contain an embedded null byte")
	}
	matcher, err := pattern.Compile(text, options)
	if wrong, ok := errors.AsType[*pattern.SyntaxError](err); ok {
		return nil, mongoerr.New(codeRegexInvalid, "Regular expression is invalid: %s", wrong.What)
	}
	if err != nil {
		return nil, err
	}
	return &clause{op: opRegex, path: path, test: regexTest{matcher: matcher, pattern: text, options: options}}, nil
}

// regexTest takes strings in which the pattern is found, and regular expressions that are the same.
type regexTest struct {
	matcher          pattern.Matcher
	pattern, options string
}

func (x regexTest) holds(v bsonraw.Value) bool {
	switch v.Type {
	case bsonraw.TypeString, bsonraw.TypeSymbol:
		return x.matcher.Match(v.Bytes())
	case bsonraw.TypeRegex:
		pattern, options := v.Regex()
		return string(pattern) == x.pattern && string(options) == x.options
	}
	return false
}
