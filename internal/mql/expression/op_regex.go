package expression

import (
	"bytes"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/pattern"
)

// regex is $regexMatch, $regexFind or $regexFindAll. The last pattern compiled is kept with the node when it is constant.
type regex struct {
	late
	name                  string
	input, regex, options node // options may be nil
	find                  func(ctx *Context, in regexInput) (bsonraw.Value, error)
	none                  bsonraw.Value // the result where something is null
	constant              *regexPattern
}

// regexPattern is a pattern for one of the operators: $regexMatch needs no places.
type regexPattern struct {
	matcher pattern.Matcher
	search  *pattern.Search
}

type regexInput struct {
	text []byte
	*regexPattern
}

func regexOperator(none bsonraw.Value, find func(ctx *Context, in regexInput) (bsonraw.Value, error)) operator {
	return operator{special: func(c *compiler, name string, argument bsonraw.Value) (node, error) {
		if argument.Type != bsonraw.TypeDocument {
			return nil, mongoerr.New(51103, "%s expects an object of named arguments but found: %s", name, argument.Type.Name())
		}
		n := &regex{name: name, find: find, none: none}
		err := c.named(argument.Doc(), unknownArgument(31024, name), named{"input", &n.input}, named{"regex", &n.regex}, named{"options", &n.options})
		switch {
		case err != nil:
			return nil, err
		case n.input == nil:
			return nil, mongoerr.New(31022, "%s requires 'input' parameter", name)
		case n.regex == nil:
			return nil, mongoerr.New(31023, "%s requires 'regex' parameter", name)
		}
		return n, nil
	}}
}

// prepare compiles a constant pattern once.
func (n *regex) prepare() error {
	re, ok := n.regex.(*constant)
	if !ok {
		return nil
	}
	options := bsonraw.Value{}
	if n.options != nil {
		known, ok := n.options.(*constant)
		if !ok {
			return nil
		}
		options = known.value
	}
	var err error
	n.constant, err = n.compile(re.value, options)
	return err
}

// compile makes a pattern of its text and options; nil for a pattern that is null.
func (n *regex) compile(re, options bsonraw.Value) (*regexPattern, error) {
	if re.Type != bsonraw.TypeString && re.Type != bsonraw.TypeRegex && !isNullish(re) {
		return nil, mongoerr.New(51105, "%s needs 'regex' to be of type string or regex", n.name)
	}
	if options.Type != bsonraw.TypeString && !isNullish(options) {
		return nil, mongoerr.New(51106, "%s needs 'options' to be of type string", n.name)
	}
	if isNullish(re) {
		return nil, nil
	}
	text, flags := re.Bytes(), options.Bytes()
	if re.Type == bsonraw.TypeRegex {
		source, own := re.Regex()
		if text = source; len(own) > 0 && !isNullish(options) {
			return nil, mongoerr.New(51107, "%s: found regex option(s) specified in both 'regex' and 'option' fields", n.name)
		}
		flags = slices.Concat(own, flags) // not append: own is a view of the document
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, mongoerr.New(51109, "%s: regular expression cannot contain an embedded null byte", n.name)
	}
	for _, flag := range flags {
		if bytes.IndexByte([]byte("imsxu"), flag) < 0 {
			return nil, mongoerr.New(51108, "%s invalid flag in regex options: %c", n.name, flag)
		}
	}
	compiled := &regexPattern{}
	var err error
	if n.name == "$regexMatch" {
		compiled.matcher, err = pattern.Compile(string(text), string(flags))
	} else {
		compiled.search, err = pattern.CompileSearch(string(text), string(flags))
	}
	if wrong, ok := errors.AsType[*pattern.SyntaxError](err); ok {
		err = mongoerr.New(51111, "Invalid Regex in %s: %s", n.name, wrong.What)
	}
	return compiled, err
}

func (n *regex) eval(ctx *Context) (bsonraw.Value, error) {
	input, err := n.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	compiled := n.constant
	var re, options bsonraw.Value
	if compiled == nil {
		if re, err = n.regex.eval(ctx); err != nil {
			return bsonraw.Value{}, err
		}
		if options, err = evalPresent(ctx, n.options); err != nil {
			return bsonraw.Value{}, err
		}
	}
	if input.Type != bsonraw.TypeString && !isNullish(input) {
		return bsonraw.Value{}, mongoerr.New(51104, "%s needs 'input' to be of type string", n.name)
	}
	if compiled == nil {
		if compiled, err = n.compile(re, options); err != nil {
			return bsonraw.Value{}, err
		}
	}
	if isNullish(input) || compiled == nil {
		return n.none, nil
	}
	if err := ctx.spend(effortToStop); err != nil {
		return bsonraw.Value{}, err
	}
	return n.find(ctx, regexInput{text: input.Bytes(), regexPattern: compiled})
}

func (n *regex) children(visit func(*node)) {
	visit(&n.input)
	visit(&n.regex)
	visitPresent(&n.options, visit)
}

func regexMatch(_ *Context, in regexInput) (bsonraw.Value, error) {
	return bsonraw.BoolValue(in.matcher.Match(in.text)), nil
}

func regexFind(ctx *Context, in regexInput) (bsonraw.Value, error) {
	m, ok, err := in.search.In(in.text).Find(0)
	if err != nil {
		return bsonraw.Value{}, errRegexFailed("$regexFind", err)
	}
	if !ok {
		return bsonraw.NullValue, nil
	}
	dst := appendMatch(ctx.Scratch(), in.text, m, utf8.RuneCount(in.text[:m.Start]))
	return ctx.keepValue(bsonraw.TypeDocument, dst)
}

// regexFindAll looks again where the last match ended, or a character behind an empty one, until the text ends.
func regexFindAll(ctx *Context, in regexInput) (bsonraw.Value, error) {
	out := bsonraw.BeginArray(ctx.Scratch())
	counted, characters := 0, 0
	scan := in.search.In(in.text)
	for at := 0; at == 0 || at < len(in.text); {
		m, ok, err := scan.Find(at)
		if err != nil {
			err = errRegexFailed("$regexFindAll", err)
		} else {
			err = ctx.spend(itemEffort)
		}
		if err != nil {
			ctx.Discard(out.End())
			return bsonraw.Value{}, err
		}
		if !ok {
			break
		}
		characters += utf8.RuneCount(in.text[counted:m.Start])
		counted = m.Start
		dst, begin := out.Begin(bsonraw.TypeDocument)
		out.Resume(appendMatch(dst[:begin], in.text, m, characters))
		if out.Size() > memoryLimit {
			ctx.Discard(out.End())
			return bsonraw.Value{}, errMemory()
		}
		if at = m.End; m.End == m.Start {
			_, size := utf8.DecodeRune(in.text[m.End:])
			at += max(size, 1)
		}
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

func errRegexFailed(name string, err error) error {
	return mongoerr.New(51156, "Error occurred while executing the regular expression in %s: %s", name, err)
}

// appendMatch appends the document that describes a match: {match, idx, captures}.
func appendMatch(dst, text []byte, m pattern.Match, index int) []byte {
	dst, at := bsonraw.BeginDoc(dst)
	dst = bsonraw.AppendString(dst, "match", text[m.Start:m.End])
	dst = bsonraw.AppendInt32(dst, "idx", int32(index))
	captures := bsonraw.BeginArray(bsonraw.AppendHeader(dst, bsonraw.TypeArray, "captures"))
	for _, c := range m.Captures {
		if c[0] < 0 {
			captures.Append(bsonraw.NullValue)
			continue
		}
		captures.Append(bsonraw.StringValue(string(text[c[0]:c[1]])))
	}
	return bsonraw.EndDoc(captures.End(), at)
}

var emptyArray = bsonraw.Value{Type: bsonraw.TypeArray, Data: bsonraw.Empty}
