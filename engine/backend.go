package engine

import (
	"context"

	"github.com/sluicestream/sluice/internal/wire"
)

// backend is what answers commands and keeps the documents.
type backend interface {
	// connect begins a session for a connection.
	connect(info connInfo) session
	// drain ends the commands that wait for news of the engine. Others go on. It does not wait.
	drain()
	// interrupt makes every command under way, and every later one, end soon. It does not wait.
	interrupt()
	// failed is closed when the storage has failed.
	failed() <-chan struct{}
	// close ends the backend and returns the failure of its storage. No session is left then.
	close() error
}

// session answers the commands of one connection, one at a time.
type session interface {
	// run executes the command and gives the reply its body. Nothing of the request is kept.
	run(ctx context.Context, request *wire.Message, reply *wire.Reply) then
	// more gives the next reply to the last request its body, after thenMore.
	more(ctx context.Context, reply *wire.Reply) then
	close()
}

// connInfo is what a session knows of its connection.
type connInfo struct {
	id         int32
	remote     string // address of the client
	advertised string // host:port that reaches this engine the way the connection came
	// watchDisconnect calls cancel when the client goes away, until stop is called, which must happen before the command
	// ends. It costs a goroutine, so only a command that has waited for long asks for it.
	watchDisconnect func(cancel func()) (stop func())
}

// then is what follows a reply.
type then int

const (
	thenWait   then = iota // for the client's next message
	thenHangUp             // there is no reply: the connection is to be closed
	thenMore               // another reply to the same request
)
