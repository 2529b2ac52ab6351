//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminalColumns returns the width of a terminal, and false for anything else.
func terminalColumns(f *os.File) (int, bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}

// enableStyles makes a terminal obey styles, and tells whether it does.
func enableStyles(*os.File) bool { return true }

// addressTaken reports whether a listener's address is in use.
func addressTaken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// readerGone reports whether a write failed because nobody reads any more.
func readerGone(err error) bool { return errors.Is(err, syscall.EPIPE) }
