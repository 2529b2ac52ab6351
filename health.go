package sluice

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Health is the state of a stream at one moment.
type Health struct {
	Position  bson.Timestamp // cluster time of the position (see Stream.ResumeToken); zero if it is not known
	Lag       time.Duration  // the server's newest time that the stream has heard of, minus Position; in whole seconds
	TokenAge  time.Duration  // now minus Position: how far back the oplog has to reach for a resume; in whole seconds
	Resumes   uint64         // cursors that were opened after a failure, the driver's own resumes included
	Buffered  int            // events received and not handed out
	LastError error          // during an outage and after a final error; else nil
}

// Metrics gets a stream's Health after each reply of the server and after each failure, from the stream's own goroutine:
// Observe must return soon, and must not close the stream.
type Metrics interface {
	Observe(Health)
}

// Gap tells that events were missed for certain or possibly, between two points of time: the stream started over
// because the server could not go on from its position.
type Gap struct {
	After Token          // the position that was lost
	From  bson.Timestamp // its time, at or after the last event handed out; zero if it is not known
	To    bson.Timestamp // at or before the next event
	Err   error          // why: ErrHistoryLost, with the server's error
}

// health returns the state at this moment.
func (m *machine) health() Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := m.mu.state
	state.Buffered = len(m.mu.queue) - m.mu.head + m.mu.held
	if m.mu.last != nil {
		state.Position = clusterTime(m.mu.last)
	}
	if state.Position.IsZero() {
		state.Position, _ = position{token: m.tokenLocked(), time: m.mu.start}.when()
	}
	if !state.Position.IsZero() {
		at := int64(state.Position.T)
		if !m.mu.heard.IsZero() {
			state.Lag = max(time.Duration(int64(m.mu.heard.T)-at)*time.Second, 0)
		}
		state.TokenAge = max(time.Duration(time.Now().Unix()-at)*time.Second, 0)
	}
	return state
}

// outage records a failure that will be retried, and ends the round.
func (m *machine) outage(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.state.LastError = err
	m.roundLocked()
}

// resumed records cursors that replaced others after a failure.
func (m *machine) resumed(n uint64) {
	m.mu.Lock()
	m.mu.state.Resumes += n
	m.mu.state.LastError = nil
	total := m.mu.state.Resumes
	m.mu.Unlock()
	m.opts.Logger.Info("sluice: resumed", "namespace", m.ns.String(), "resumes", total)
}

// observe notes how far the server is, and passes the state on to Options.Metrics.
func (m *machine) observe() {
	m.hear()
	if m.opts.Metrics != nil {
		m.opts.Metrics.Observe(m.health())
	}
}

// hear notes how far the server is.
func (m *machine) hear() {
	if m.cur == nil {
		return
	}
	heard := m.cur.serverTime()
	m.mu.Lock()
	defer m.mu.Unlock()
	if heard.After(m.mu.heard) {
		m.mu.heard = heard
	}
}
