// Command sluice shows what changes in a MongoDB database as it happens, and runs the embedded engine.
//
//	sluice watch --demo     an engine of its own, with changes to look at
//	sluice watch URI        the changes of a server that runs already
//	sluice serve --dir DIR  the engine alone
//
// Only what belongs to the command line lives here: flags, rendering for people, files, signals. It is built from the
// module's public packages, as any user's program is.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	if os.Getenv("GOMAXPROCS") == "" {
		// A thread that waits for the disk keeps one of Go's places for running threads until the scheduler looks, which takes
		// some ten microseconds, and looking costs. With a place to spare others go on at once. What this loses is that
		// Go follows a change of the limits of a container while it runs.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE) // a reader that went away is an error of the write, which ends the program cleanly
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
