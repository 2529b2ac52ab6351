package engine

import (
	"errors"
	"os"
	"sync"
	"time"
)

// longAgo is a deadline that ends a wait at once.
var longAgo = time.Unix(1, 0)

// watchDisconnect calls cancel when the client disconnects while a command runs. The connection's goroutine is busy with the
// command, so another waits for a byte or the end; a byte is the client's next message and is left for later. stop ends that
// goroutine with a deadline that has passed, and joins it.
func (c *conn) watchDisconnect(cancel func()) (stop func()) {
	if c.stopWatch != nil { // one watch is enough, and two would read at once
		c.stopWatch()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.reader.WaitByte(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel()
		}
	}()
	c.stopWatch = sync.OnceFunc(func() {
		_ = c.socket.SetReadDeadline(longAgo) // fails only when the socket is closed, which ends the wait too
		<-ended
		_ = c.socket.SetReadDeadline(time.Time{})
		c.stopWatch = nil
	})
	return c.stopWatch
}
