//go:build linux && !race && !msan && !asan

package socket

import (
	"syscall"
	"unsafe"
)

// systemCall reads into p, or writes it, without telling the scheduler.
func systemCall(call, fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}
