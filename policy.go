package sluice

// restart applies the policy for lost history: it gives the position up for the one that the policy names, and prepares
// the report of the gap. It returns false if the policy, or a second loss, says that the stream has to end.
func (m *machine) restart(err error) bool {
	if m.opts.OnHistoryLost == FailOnHistoryLost || m.lost != nil || !positionLost(err) {
		return false
	}
	from, _ := m.pos.when()
	cause := newError("resume", m.ns, m.pos, err)
	cause.sentinel = ErrHistoryLost
	m.lost = &Gap{After: m.pos.token, From: from, Err: cause}
	m.opts.Logger.Warn("sluice: history lost; starting over", "namespace", m.ns.String(), "from", from, "error", cause)
	if m.opts.OnHistoryLost == RestartAtTime {
		m.pos = position{time: m.opts.RestartAt}
	} else {
		m.pos, m.now = position{}, true
	}
	return true
}

// closeGap reports the gap, whose end the new cursor tells.
func (m *machine) closeGap() {
	gap := *m.lost
	m.lost = nil
	if m.opts.OnHistoryLost == RestartAtTime {
		gap.To = m.opts.RestartAt
	} else if gap.To = m.cur.serverTime(); gap.To.IsZero() {
		gap.To, _ = m.pos.when()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.gaps = append(m.mu.gaps, gap)
	m.broadcastLocked()
}
