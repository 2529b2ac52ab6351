//go:build unix

package engine

import (
	"math"
	"syscall"
)

// openFiles returns how many files the process may have open, 0 where that is not known. Go has raised the limit as far as it
// goes.
func openFiles() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int64(min(uint64(limit.Cur), math.MaxInt64)) //nolint:unconvert // some systems have it signed
}
