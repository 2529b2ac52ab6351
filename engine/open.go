package engine

import (
	"context"
	"fmt"

	"github.com/sluicestream/sluice/internal/command"
	"github.com/sluicestream/sluice/internal/wire"
)

// Open opens the database in cfg.Dir, creating it where there is none, or one in memory. It listens nowhere yet: see Listen and
// DialContext. ctx bounds the opening only. Problems of cfg are all named in one error. A folder that another
// engine has open is refused, by an error that says so ("another engine, of this process or another one, has it open") and has no
// variable of its own. Programs that share a database let the one that opened it Listen.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := command.Config{ReplicaSet: cfg.ReplicaSet, TestCommands: cfg.TestCommands, MaxCursors: cfg.MaxCursors, Logger: cfg.Logger}
	c.Store.Dir, c.Store.OplogMaxBytes, c.Store.OplogMinAge = cfg.Dir, cfg.OplogMaxBytes, cfg.OplogMinAge
	// The newest oplog entries and Pebble's blocks share what is allowed.
	c.Store.TailBytes, c.Store.CacheBytes = cfg.MaxMemoryBytes/2, cfg.MaxMemoryBytes/2
	storeFiles, sockets := divideFiles(openFiles())
	c.Store.MaxOpenFiles = storeFiles
	server, err := command.Open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	e := newEngine(cfg, &commands{server})
	e.maxSockets = sockets
	return e, nil
}

// commands is the backend that answers MongoDB's commands.
type commands struct{ server *command.Server }

func (b *commands) connect(info connInfo) session {
	return &commandSession{server: b.server, conn: b.server.NewConn(command.ConnInfo{
		ID: info.id, Remote: info.remote, Advertised: info.advertised, WatchDisconnect: info.watchDisconnect,
	})}
}

func (b *commands) drain()                  { b.server.Quiesce() }
func (b *commands) interrupt()              { b.server.Stop() }
func (b *commands) failed() <-chan struct{} { return b.server.Failed() }
func (b *commands) close() error            { return b.server.Close() }

// commandSession answers the commands of one connection.
type commandSession struct {
	server  *command.Server
	conn    *command.Conn
	request command.Request // used again for each
}

// run hands the request's bytes over as they are. Commands run under the server's context, which tells why it ended.
func (s *commandSession) run(_ context.Context, m *wire.Message, reply *wire.Reply) then {
	req := &s.request
	*req = command.Request{
		Body: m.Body, Legacy: m.OpCode == wire.OpQuery, Exhaust: m.Flags&wire.ExhaustAllowed != 0 && m.WantsReply(),
		Sequences: req.Sequences[:0], Room: reply,
	}
	for _, seq := range m.Sequences {
		req.Sequences = append(req.Sequences, command.Sequence{Name: seq.Name, Docs: seq.Docs.Bytes()})
	}
	body, after := s.conn.Run(s.server.Context(), req, reply.Body())
	clear(req.Sequences) // the message's bytes are gone then
	return answer(reply, body, after)
}

func (s *commandSession) more(_ context.Context, reply *wire.Reply) then {
	body, after := s.conn.More(s.server.Context(), reply.Body(), reply)
	return answer(reply, body, after)
}

// answer puts a command's reply into the message.
func answer(reply *wire.Reply, body []byte, after command.Then) then {
	if after == command.ThenHangUp {
		return thenHangUp
	}
	reply.SetBody(body)
	if after == command.ThenMore {
		return thenMore
	}
	return thenWait
}

func (s *commandSession) close() { s.conn.Close() }
