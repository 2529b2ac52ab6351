//go:build linux && (race || msan || asan)

package socket

import "syscall"

// systemCall reads into p, or writes it. In builds that watch over memory the scheduler is told, because they are told with it.
func systemCall(call, fd uintptr, p []byte) (n int, errno syscall.Errno) {
	var err error
	if call == syscall.SYS_READ {
		n, err = syscall.Read(int(fd), p)
	} else {
		n, err = syscall.Write(int(fd), p)
	}
	errno, _ = err.(syscall.Errno) //nolint:errorlint // nothing else, and not wrapped
	return n, errno
}
