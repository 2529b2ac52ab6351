package sluice

import "go.mongodb.org/mongo-driver/v2/bson"

// restart applies the policy for lost history: it gives the position up for the one that the policy names, and prepares
// the report of the gap. It returns false if the policy, or a second loss, says that the stream has to end.
func (m *machine) restart(err error) bool {
	if m.opts.OnHistoryLost == FailOnHistoryLost || m.lost != nil || !positionLost(err) {
		return false
	}
	from, _ := m.pos.when()
	why := newError(opResume, m.ns, m.pos, err)
	why.sentinel = ErrHistoryLost
	m.lost = &Gap{After: m.pos.token, From: from, Err: why}
	m.opts.Logger.Warn("sluice: history lost; starting over", "namespace", m.ns.String(), "from", from.T, cause(err))
	if m.opts.OnHistoryLost == RestartAtTime {
		m.pos = position{time: m.opts.RestartAt}
	} else {
		m.pos, m.now = position{}, true
	}
	return true
}

// closeGap reports the gap, whose end the new cursor tells: its first event, or its position when it has none yet, or the
// server's time, which may have moved on before the server answered. Each of them is at or after the point where the
// cursor began, so the earliest is the closest.
func (m *machine) closeGap(first bson.Raw) {
	gap := *m.lost
	m.lost = nil
	gap.To = m.cur.serverTime()
	next, known := m.pos.when()
	if first != nil {
		next, known = position{token: tokenOf(eventID(first))}.when()
	}
	if known && (gap.To.IsZero() || next.Before(gap.To)) {
		gap.To = next
	}
	if m.opts.OnHistoryLost == RestartAtTime {
		gap.To = m.opts.RestartAt
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.gaps = append(m.mu.gaps, gap)
	m.broadcastLocked()
}
