package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Config says how an engine runs. The zero value is a database in memory with every default.
type Config struct {
	// Dir is the folder of the store, created with mode 0700 when it is missing. Empty means in memory: gone after Close.
	// One engine at a time has a folder open: it is locked until Close or the end of the process, see Open.
	Dir string
	// ReplicaSet is the name of the replica set that the engine presents itself as; default "sluice".
	ReplicaSet string
	// OplogMaxBytes is how much history is kept for change streams, in bytes; 0 means 1 GiB, in memory 256 MiB.
	OplogMaxBytes int64
	// OplogMinAge keeps history that is younger, whatever its size; default 0.
	OplogMinAge time.Duration
	// MaxMemoryBytes bounds the caches of the store; 0 means their defaults, 128 MiB together.
	MaxMemoryBytes int64
	// MaxConnections is how many clients may be connected at once, those within the process included; default 65,536, and fewer
	// by sockets where the process may not have as many files open. Further ones are refused with an error that says so.
	MaxConnections int
	// MaxCursors is how many cursors may be open at once; default 100,000.
	MaxCursors int
	// Auth asks for authentication. It is not supported yet: Open refuses it.
	Auth bool
	// TLS asks for encrypted connections; nil: none. It is not supported yet: Open refuses it.
	TLS *tls.Config
	// TestCommands allows fail points, with which clients can make commands fail. Leave it off but in tests.
	TestCommands bool
	// Logger gets what operators should know; nil logs nothing. Contents of documents are never logged.
	Logger *slog.Logger
}

const (
	defaultReplicaSet     = "sluice"
	defaultMaxConnections = 65_536
	maxReplicaSetName     = 128
)

// withDefaults fills in what is not set, or names everything that is wrong at once.
func (c Config) withDefaults() (Config, error) {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.ReplicaSet == "" {
		c.ReplicaSet = defaultReplicaSet
	}
	if len(c.ReplicaSet) > maxReplicaSetName || strings.ContainsFunc(c.ReplicaSet, notInReplicaSetName) {
		wrong("ReplicaSet %q: a name has 1 to %d letters, digits, '-', '_' and '.'", c.ReplicaSet, maxReplicaSetName)
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"OplogMaxBytes", c.OplogMaxBytes},
		{"OplogMinAge", int64(c.OplogMinAge)},
		{"MaxMemoryBytes", c.MaxMemoryBytes},
		{"MaxConnections", int64(c.MaxConnections)},
		{"MaxCursors", int64(c.MaxCursors)},
	} {
		if n.value < 0 {
			wrong("%s is negative; 0 means the default", n.name)
		}
	}
	if c.Auth {
		wrong("Auth: authentication is not supported yet; leave it off and listen on loopback or in process only")
	}
	if c.TLS != nil {
		wrong("TLS: encrypted connections are not supported yet; leave it nil and listen on loopback or in process only")
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = defaultMaxConnections
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if len(problems) > 0 {
		return c, fmt.Errorf("engine: open: configuration: %w", errors.Join(problems...))
	}
	return c, nil
}

func notInReplicaSetName(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
}
