package engine

// Files that are open are shared: without one for the next table the storage fails, and that is final, so clients must never
// take the last.
const (
	mostStoreFiles  = 1000 // more would not make the store faster
	leastStoreFiles = 64
	spareFiles      = 64 // logs, listeners, clients that are being refused, and what else the process has open
)

// divideFiles says how many of the files that the process may have open are for the store and how many for sockets. A limit
// of 0 is one that is not known.
func divideFiles(limit int64) (store, sockets int) {
	if limit <= 0 {
		return mostStoreFiles, defaultMaxConnections
	}
	forStore := min(max(limit/4, leastStoreFiles), mostStoreFiles)
	forSockets := max(limit-forStore-spareFiles, limit/4)
	return int(forStore), int(min(forSockets, defaultMaxConnections))
}
