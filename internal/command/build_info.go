package command

import (
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// serverVersion is the version of MongoDB whose behaviour this server has. Clients choose by it what they ask for.
const serverVersion = "7.0.14"

// compatibilityVersion is its feature compatibility version.
var compatibilityVersion = serverVersion[:strings.LastIndexByte(serverVersion, '.')]

// buildInfo {buildInfo: 1} says which version this is. Arguments are accepted and not used, as in mongod.
func buildInfo(op *operation) error {
	op.out = bsonraw.AppendString(op.out, "version", serverVersion)
	op.out = bsonraw.AppendString(op.out, "gitVersion", revision())
	op.appendList("modules", nil)
	op.out = bsonraw.AppendString(op.out, "allocator", "go")
	op.out = bsonraw.AppendString(op.out, "javascriptEngine", "none")
	op.out = bsonraw.AppendString(op.out, "sysInfo", "deprecated")
	op.appendList("versionArray", versionNumbers())
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "openssl")
	op.out = bsonraw.AppendString(op.out, "running", "disabled")
	op.out = bsonraw.AppendString(op.out, "compiled", "disabled")
	op.out = bsonraw.EndDoc(op.out, at)
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "buildEnvironment")
	op.out = bsonraw.AppendString(op.out, "cc", runtime.Version())
	op.out = bsonraw.AppendString(op.out, "target_arch", runtime.GOARCH)
	op.out = bsonraw.AppendString(op.out, "target_os", runtime.GOOS)
	op.out = bsonraw.EndDoc(op.out, at)
	op.out = bsonraw.AppendInt32(op.out, "bits", strconv.IntSize)
	op.out = bsonraw.AppendBool(op.out, "debug", false)
	op.out = bsonraw.AppendInt32(op.out, "maxBsonObjectSize", maxDocumentSize)
	op.appendList("storageEngines", []bsonraw.Value{bsonraw.StringValue(storageEngine)})
	return nil
}

// storageEngine is the name of what keeps the data.
const storageEngine = "pebble"

// versionNumbers are the parts of the version and the zero of a release.
func versionNumbers() []bsonraw.Value {
	var numbers []bsonraw.Value
	for part := range strings.SplitSeq(serverVersion, ".") {
		n, _ := strconv.Atoi(part) // the constant has numbers only
		numbers = append(numbers, bsonraw.Int32Value(int32(n)))
	}
	return append(numbers, bsonraw.Int32Value(0))
}

// revision is the commit that this program was built from, as far as the toolchain has recorded it.
var revision = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
})
