package main

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// terminalColumns returns the width of a console, and false for anything else.
func terminalColumns(f *os.File) (int, bool) {
	var info windows.ConsoleScreenBufferInfo
	if err := windows.GetConsoleScreenBufferInfo(windows.Handle(f.Fd()), &info); err != nil {
		return 0, false
	}
	return int(info.Window.Right) - int(info.Window.Left) + 1, true
}

// enableStyles makes a console obey styles, and tells whether it does: old ones cannot.
func enableStyles(f *os.File) bool {
	handle := windows.Handle(f.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(handle, &mode); err != nil {
		return false
	}
	return windows.SetConsoleMode(handle, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}

// addressTaken reports whether a listener's address is in use.
func addressTaken(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

// readerGone reports whether a write failed because nobody reads any more.
func readerGone(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA)
}
