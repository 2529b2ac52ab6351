// Command floor answers MongoDB's commands without doing what they ask for. It reads messages, writes those that write to a file,
// syncs it before it answers, as many of them at once as there are, and gives change streams constant events. So a load reaches on
// it what the network, the disk and the load generator allow: no server written in Go does better on the same machine, and
// a goal that floor misses is out of reach there.
//
//	go run ./floor -dir DIR
//
// With -work 3us it keeps a processor busy for so long before it answers a command: what a server reaches that takes as long for it.
//
// Here is only as much of the protocol as the load of the bench uses. Streams begin at present, and belong to one connection.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/sluicestream/sluice/internal/socket"
)

func main() {
	dir := flag.String("dir", "", "folder for the file that is written (required)")
	listen := flag.String("listen", "127.0.0.1:0", "address")
	work := flag.Duration("work", 0, "how long each command takes of a processor")
	flag.Parse()
	if os.Getenv("GOMAXPROCS") == "" { // as `sluice serve` does
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, *dir, *listen, *work, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// serve serves until ctx ends. It prints the URI on which.
func serve(ctx context.Context, dir, address string, work time.Duration, out io.Writer) (err error) {
	if dir == "" {
		return errors.New("-dir is required")
	}
	journal, err := openJournal(filepath.Join(dir, "journal"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	group.Go(func() { journal.tick(ctx) })
	lone := socket.NewLone()
	fmt.Fprintf(out, "mongodb://%s/?directConnection=true\n", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		socket := socket.New(conn, lone)
		group.Go(func() {
			defer context.AfterFunc(ctx, func() { _ = socket.Close() })()
			c := newConnection(socket, journal, work)
			if err := c.serve(); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "floor:", err)
			}
			_ = socket.Close()
		})
	}
}
