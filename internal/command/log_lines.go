package command

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
)

// logLines are the newest lines of the server's log, for getLog, in the form of MongoDB's: JSON with the time t, the severity s,
// the component c, the number id, the thread ctx, the message msg and its attributes attr.
type logLines struct {
	mu    sync.Mutex
	lines []string
	total int64
}

// maxLogLines is how many lines are kept, maxLogLine how long one may be in bytes, as in MongoDB.
const (
	maxLogLines = 1024
	maxLogLine  = 10 << 10
)

func (l *logLines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == maxLogLines {
		l.lines = slices.Delete(l.lines, 0, 1)
	}
	l.lines = append(l.lines, line)
	l.total++
}

// newest returns the lines that are kept and how many there ever were.
func (l *logLines) newest() (lines []string, total int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines), l.total
}

// keeper is a handler of log records that keeps their lines and passes them on.
type keeper struct {
	slog.Handler
	lines *logLines
	attrs map[string]any
	group string // of further attributes, with a dot behind it
}

// Enabled reports whether a record is wanted, by this handler or by the one behind it.
func (k *keeper) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || k.Handler.Enabled(ctx, level)
}

// Handle keeps a record's line and passes the record on to whoever wants it.
func (k *keeper) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		k.lines.add(k.line(r))
	}
	if !k.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return k.Handler.Handle(ctx, r)
}

// WithAttrs returns the handler for records with further attributes.
func (k *keeper) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *k
	next.Handler = k.Handler.WithAttrs(attrs)
	next.attrs = make(map[string]any, len(k.attrs)+len(attrs))
	maps.Copy(next.attrs, k.attrs)
	for _, a := range attrs {
		next.attrs[k.group+a.Key] = a.Value.Resolve().String()
	}
	return &next
}

// WithGroup returns the handler for records whose attributes belong to a group.
func (k *keeper) WithGroup(name string) slog.Handler {
	next := *k
	next.Handler = k.Handler.WithGroup(name)
	next.group = k.group + name + "."
	return &next
}

// severity is the letter of MongoDB's log for a level of ours.
func severity(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "E"
	case level >= slog.LevelWarn:
		return "W"
	}
	return "I"
}

func (k *keeper) line(r slog.Record) string {
	attrs := make(map[string]any, len(k.attrs)+r.NumAttrs())
	maps.Copy(attrs, k.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs[k.group+a.Key] = a.Value.Resolve().String()
		return true
	})
	entry := struct {
		T    map[string]string `json:"t"`
		S    string            `json:"s"`
		C    string            `json:"c"`
		ID   int               `json:"id"`
		Ctx  string            `json:"ctx"`
		Msg  string            `json:"msg"`
		Attr map[string]any    `json:"attr,omitempty"`
	}{T: map[string]string{"$date": r.Time.Format(logTime)}, S: severity(r.Level), C: "-", Ctx: "-", Msg: r.Message, Attr: attrs}
	line, err := json.Marshal(entry)
	if err != nil || len(line) > maxLogLine {
		entry.Attr = nil
		entry.Msg = entry.Msg[:min(len(entry.Msg), maxLogLine/2)]
		line, _ = json.Marshal(entry) // texts can always be written
	}
	return string(line)
}

// logTime is how MongoDB's log writes times.
const logTime = "2006-01-02T15:04:05.000-07:00"
