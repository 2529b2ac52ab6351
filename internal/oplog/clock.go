package oplog

import "time"

// Clock hands out the timestamps of commits: strictly increasing, following the wall clock, never going back. It is not safe
// for concurrent use; the commit lock guards it.
type Clock struct {
	last Timestamp
	now  func() time.Time
}

// NewClock returns a clock whose next timestamp is after last, the newest that was ever handed out. A nil now means time.Now.
func NewClock(last Timestamp, now func() time.Time) *Clock {
	if now == nil {
		now = time.Now
	}
	return &Clock{last: last, now: now}
}

// Next reserves n consecutive timestamps of one second and returns the first. When the wall clock stands still or goes back,
// the increment goes on counting in the last second; after 2^32 in one second it runs ahead into the next.
func (c *Clock) Next(n int) Timestamp {
	first := MakeTimestamp(uint32(c.now().Unix()), 1)
	if first <= c.last {
		first = c.last + 1
	}
	if uint64(first.Increment())+uint64(n) > 1<<32 || first.Increment() == 0 {
		first = MakeTimestamp(first.Seconds()+1, 1)
	}
	c.last = first + Timestamp(n) - 1
	return first
}

// Last returns the newest timestamp handed out.
func (c *Clock) Last() Timestamp { return c.last }
