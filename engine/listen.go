package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/sluicestream/sluice/internal/socket"
)

// listener is an open listener and what it is known by.
type listener struct {
	net.Listener
	advertised string       // what hello names to clients that came by it
	uri        string       // what clients connect to
	cleanUp    func() error // what closing leaves to be done; may be nil
}

func (l *listener) close() error {
	err := l.Listener.Close()
	if l.cleanUp != nil {
		err = errors.Join(err, l.cleanUp())
	}
	return err
}

// Listen accepts clients at an address until the engine is closed, and returns the address that was opened, which tells the port
// for port 0. Networks are "tcp", "tcp4" and "tcp6" with host:port, and "unix" with the path of a socket, which is made with
// mode 0600 and must end in ".sock", because drivers recognise sockets by that.
//
// There is no authentication yet, so whoever can connect can do everything: only addresses of the loopback interface are allowed.
// Other errors are that the address is taken, and that the engine is closed.
func (e *Engine) Listen(network, address string) (net.Addr, error) {
	var l *listener
	var err error
	switch network {
	case "tcp", "tcp4", "tcp6":
		l, err = e.listenTCP(network, address)
	case "unix":
		l, err = e.listenUnix(address)
	default:
		err = fmt.Errorf("unknown network; %q and %q are possible", "tcp", "unix")
	}
	if err == nil {
		err = e.addListener(l)
	}
	if err != nil {
		return nil, fmt.Errorf("engine: listen on %s %q: %w", network, address, err)
	}
	e.log.Info("listening", "network", network, "address", l.advertised)
	return l.Addr(), nil
}

func (e *Engine) addListener(l *listener) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.phase != phaseOpen {
		return errors.Join(ErrClosed, l.close())
	}
	e.mu.listeners = append(e.mu.listeners, l)
	if e.mu.firstURI == "" {
		e.mu.firstURI = l.uri
	}
	e.tasks.Go(func() { e.accept(l) })
	return nil
}

// lookupLimit bounds the lookup of a listener's host.
const lookupLimit = 5 * time.Second

func (e *Engine) listenTCP(network, address string) (*listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return nil, notLoopback("no host means every interface")
	}
	ctx, cancel := context.WithTimeout(e.ctx, lookupLimit)
	defer cancel()
	family := "ip" + network[len("tcp"):]
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, family, host)
	if err != nil {
		return nil, err
	}
	chosen := addrs[0]
	for _, a := range addrs {
		if !a.Unmap().IsLoopback() {
			return nil, notLoopback(a.Unmap().String() + " is not")
		}
		if a.Unmap().Is4() { // what most clients try first for "localhost"
			chosen = a
		}
	}
	// The address that was looked at is opened, not the name, which might mean another one by now.
	var config net.ListenConfig
	l, err := config.Listen(ctx, network, net.JoinHostPort(chosen.Unmap().String(), port))
	if err != nil {
		return nil, err
	}
	opened, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil || !opened.Addr().Unmap().IsLoopback() {
		return nil, errors.Join(notLoopback(l.Addr().String()+" is not"), l.Close())
	}
	hostPort := l.Addr().String()
	return &listener{Listener: l, advertised: hostPort, uri: e.uri(hostPort, "")}, nil
}

func notLoopback(why string) error {
	return fmt.Errorf("only loopback addresses are allowed while there is no authentication, and %s: "+
		"use 127.0.0.1 or [::1], and reach it from elsewhere through an authenticated tunnel such as ssh -L", why)
}

// uri returns the connection string of a host, with further options.
func (e *Engine) uri(host, options string) string {
	return "mongodb://" + host + "/?" + options + "replicaSet=" + url.QueryEscape(e.cfg.ReplicaSet)
}

const (
	shortestPause = 5 * time.Millisecond
	longestPause  = time.Second
)

// accept serves the clients of a listener until it is closed.
func (e *Engine) accept(l *listener) {
	pause := shortestPause
	for {
		conn, err := l.Accept()
		if err == nil {
			pause = shortestPause
			e.admit(socket.New(conn, e.lone), l.advertised)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Most often the process has no file descriptors left; others will be given back.
		e.log.Warn("accept a client; trying again", "address", l.advertised, "pause", pause, "error", err)
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		}
	}
}
