package command

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestLogLinesAreKeptAndPassedOn(t *testing.T) {
	t.Parallel()
	var passed bytes.Buffer
	lines := &logLines{}
	log := slog.New(&keeper{Handler: slog.NewTextHandler(&passed, &slog.HandlerOptions{Level: slog.LevelError}), lines: lines})
	log.Debug("not kept")
	log.With("a", 1).WithGroup("g").Warn("something", "b", "x")
	log.Error(strings.Repeat("long ", maxLogLine))
	for range maxLogLines {
		log.Info("much")
	}
	kept, total := lines.newest()
	if len(kept) != maxLogLines || total != maxLogLines+2 {
		t.Errorf("%d of %d lines are kept, want %d of %d", len(kept), total, maxLogLines, maxLogLines+2)
	}
	if text := passed.String(); strings.Contains(text, "something") || !strings.Contains(text, "long") {
		t.Errorf("what was passed on: %q, want the error and nothing else", text[:min(len(text), 100)])
	}
}

func TestLogLinesHaveMongoDBsForm(t *testing.T) {
	t.Parallel()
	lines := &logLines{}
	log := slog.New(&keeper{Handler: slog.DiscardHandler, lines: lines})
	log.With("a", 1).WithGroup("g").Warn("something", "b", "x")
	log.Error(strings.Repeat("long ", maxLogLine))
	kept, _ := lines.newest()
	var first struct {
		T struct {
			Date string `json:"$date"`
		} `json:"t"`
		S    string
		Msg  string
		Attr map[string]string
	}
	if err := json.Unmarshal([]byte(kept[0]), &first); err != nil {
		t.Fatal(err)
	}
	if first.S != "W" || first.Msg != "something" || first.Attr["a"] != "1" || first.Attr["g.b"] != "x" || first.T.Date == "" {
		t.Errorf("the line is %s", kept[0])
	}
	if len(kept[1]) > maxLogLine {
		t.Errorf("a line of %d bytes is kept, want %d at most", len(kept[1]), maxLogLine)
	}
}
