package main

import (
	"io"
	"os"
	"time"
)

const (
	fileColumns   = 160 // lines that go to no terminal
	fewestColumns = 40  // narrower terminals wrap
)

// newTextRenderer makes the renderer for an output: coloured and as wide as the terminal, if it is one.
func newTextRenderer(out io.Writer, getenv func(string) string) *textRenderer {
	r := &textRenderer{columns: func() int { return fileColumns }, zone: time.Local, now: time.Now}
	file, ok := out.(*os.File)
	if !ok {
		return r
	}
	if _, ok = terminalColumns(file); !ok {
		return r
	}
	r.coloured = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && enableStyles(file)
	r.columns = func() int { // asked for every line, because windows are resized
		columns, _ := terminalColumns(file)
		if columns <= 0 { // a terminal that does not tell
			columns = fileColumns
		}
		return max(columns, fewestColumns)
	}
	return r
}
