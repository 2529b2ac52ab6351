package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitDone   = 0 // the end was asked for, or everything is done
	exitFailed = 1
	exitUsage  = 2 // nothing was tried: the arguments make no sense
)

const programName = "sluice"

// process is what a command has to do with the world around it.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	typed          map[string]bool // names of the flags and arguments on the command line itself, not in the environment
}

// notef tells the user something beside the output.
func (p *process) notef(format string, args ...any) {
	fmt.Fprintf(p.stderr, programName+": "+format+"\n", args...)
}

// grammar is the command line, as kong reads it from tags.
type grammar struct {
	Watch   watchCommand   `cmd:"" help:"Print every change of a database as it happens."`
	Serve   serveCommand   `cmd:"" help:"Run the embedded engine for MongoDB clients."`
	Version versionCommand `cmd:"" help:"Print the version of this program."`
}

// run executes one command line and returns the exit code. When ctx ends it stops cleanly.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	p := &process{stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv}
	vars := &environment{getenv: getenv}
	helped := false
	parser, err := kong.New(&grammar{},
		kong.Name(programName),
		kong.Description("MongoDB change streams: watch them, or serve them from an embedded engine."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }), // kong asks for it after --help only
		kong.Resolvers(vars),
		kong.ValueFormatter(withVariable),
		kong.ExplicitGroups([]kong.Group{
			{Key: "start", Title: "Where to start, default now:"},
			{Key: "server", Title: "For the server:"},
			{Key: "engine", Title: "The embedded engine, without a URI:"},
		}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)
	if err != nil {
		p.notef("%v", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if helped {
		return exitDone
	}
	if err != nil {
		return p.misused(selected(err), vars.blame(err))
	}
	p.typed = typed(parsed)
	command := parsed.Selected().Name
	if err = emptyText(parsed); err == nil {
		err = parsed.Run()
	}
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return p.misused(command, err)
	}
	p.notef("%s: %s", command, oneLine(err.Error()))
	return exitFailed
}

// misused reports wrong usage of a command, or of the program if the command is empty.
func (p *process) misused(command string, err error) int {
	path := programName
	if command != "" {
		path += " " + command
	}
	fmt.Fprintf(p.stderr, "%s: %s\nRun \"%s --help\" to see what is possible.\n", strings.ReplaceAll(path, " ", ": "), oneLine(err.Error()), path)
	return exitUsage
}

// usageError tells that arguments make no sense together or in themselves.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func misusef(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// selected finds the command that a line which could not be parsed was for.
func selected(err error) string {
	if failure, ok := errors.AsType[*kong.ParseError](err); ok && failure.Context != nil {
		if node := failure.Context.Selected(); node != nil {
			return node.Name
		}
	}
	return ""
}

// typed lists what stood on the command line.
func typed(parsed *kong.Context) map[string]bool {
	names := map[string]bool{}
	for _, path := range parsed.Path {
		switch {
		case path.Resolved:
		case path.Flag != nil:
			names[path.Flag.Name] = true
		case path.Positional != nil:
			names[path.Positional.Name] = true
		}
	}
	return names
}

// emptyText refuses texts that were typed and are empty: what a script's variable was to fill in and did not. The default in
// its place, such as an engine in memory where --dir or a URI was meant, would do something else than what was asked for.
func emptyText(parsed *kong.Context) error {
	for _, path := range parsed.Path {
		switch {
		case path.Resolved:
		case path.Flag != nil && isEmptyText(path.Flag.Target):
			return misusef("--%s is empty; leave it out for its default", path.Flag.Name)
		case path.Positional != nil && isEmptyText(path.Positional.Target):
			return misusef("%s is empty; leave it out for an engine of its own", strings.ToUpper(path.Positional.Name))
		}
	}
	return nil
}

func isEmptyText(value reflect.Value) bool { return value.Kind() == reflect.String && value.Len() == 0 }

// unlessStopped drops the error of a start that was cut short by a signal.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// environment gives flags that are not on the command line the value of their variable. Empty variables count as unset.
type environment struct {
	getenv func(string) string
	used   []string // names of the flags that got their value here
}

// Validate is part of kong's Resolver: there is nothing to check beforehand.
func (e *environment) Validate(*kong.Application) error { return nil }

// Resolve returns the text of a flag's variable, nil if there is none.
func (e *environment) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	name := variable(flag.Name)
	if name == "" || e.getenv(name) == "" {
		return nil, nil
	}
	e.used = append(e.used, flag.Name)
	return e.getenv(name), nil
}

// blame names the variable that an error of kong's is about, if it is about one.
func (e *environment) blame(err error) error {
	for _, flag := range e.used {
		rest, ok := strings.CutPrefix(err.Error(), "--"+flag)
		if ok && (rest[:1] == ":" || rest[:1] == " ") {
			return fmt.Errorf("%w (set in the environment as %s)", err, variable(flag))
		}
	}
	return err
}

// variable is the name of a flag's twin in the environment, empty if it has none.
func variable(flag string) string {
	if flag == "help" {
		return ""
	}
	return "SLUICE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// withVariable is the help text of a flag or argument, with the variable's name.
func withVariable(value *kong.Value) string {
	name := variable(value.Name)
	if name == "" {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " ($" + name + ")."
}

// oneLine makes a text from elsewhere fit for the terminal: no line breaks, no control characters.
func oneLine(text string) string {
	return string(appendEscaped(nil, strings.Join(strings.Fields(text), " ")))
}
