package command

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// hostInfo {hostInfo: 1} tells on what machine the server runs. What the operating system does not tell is left out.
func hostInfo(op *operation) error {
	if err := noArguments(op); err != nil {
		return err
	}
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "system")
	op.out = bsonraw.AppendDate(op.out, "currentTime", time.Now().UnixMilli())
	op.out = bsonraw.AppendString(op.out, "hostname", op.conn.info.Advertised)
	op.out = bsonraw.AppendInt32(op.out, "cpuAddrSize", strconv.IntSize)
	if size, ok := memoryMiB(); ok {
		op.out = bsonraw.AppendInt64(op.out, "memSizeMB", size)
		op.out = bsonraw.AppendInt64(op.out, "memLimitMB", size)
	}
	op.out = bsonraw.AppendInt32(op.out, "numCores", int32(runtime.NumCPU()))
	op.out = bsonraw.AppendString(op.out, "cpuArch", runtime.GOARCH)
	op.out = bsonraw.AppendBool(op.out, "numaEnabled", false)
	op.out = bsonraw.EndDoc(op.out, at)
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "os")
	op.out = bsonraw.AppendString(op.out, "type", osType(runtime.GOOS))
	op.out = bsonraw.AppendString(op.out, "name", runtime.GOOS)
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		op.out = bsonraw.AppendString(op.out, "version", "Kernel "+strings.TrimSpace(string(release)))
	}
	op.out = bsonraw.EndDoc(op.out, at)
	op.out = bsonraw.AppendDoc(op.out, "extra", bsonraw.Empty)
	return nil
}

// osType is the name that MongoDB's tools know an operating system by.
func osType(goos string) string {
	switch goos {
	case "linux":
		return "Linux"
	case "darwin":
		return "Darwin"
	case "windows":
		return "Windows"
	}
	return goos
}

// memoryMiB reads the machine's memory where Linux tells it.
func memoryMiB() (size int64, ok bool) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), "MemTotal:"); found {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib / 1024, err == nil
		}
	}
	return 0, false
}
