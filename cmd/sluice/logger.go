package main

import (
	"context"
	"io"
	"log/slog"
)

// newLogger logs as text.
func newLogger(out io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
}

// newWarner logs warnings only: errors end the command, which reports them itself.
func newWarner(out io.Writer) *slog.Logger {
	return slog.New(belowError{newLogger(out, slog.LevelWarn).Handler()})
}

// belowError drops errors.
type belowError struct{ handler slog.Handler }

func (h belowError) Enabled(ctx context.Context, level slog.Level) bool {
	return level < slog.LevelError && h.handler.Enabled(ctx, level)
}

func (h belowError) Handle(ctx context.Context, record slog.Record) error {
	return h.handler.Handle(ctx, record)
}

func (h belowError) WithAttrs(attrs []slog.Attr) slog.Handler {
	return belowError{h.handler.WithAttrs(attrs)}
}

func (h belowError) WithGroup(name string) slog.Handler {
	return belowError{h.handler.WithGroup(name)}
}
