package sluice

import "go.mongodb.org/mongo-driver/v2/bson"

// position is where a cursor is to be opened. The zero value means now.
type position struct {
	token      Token          // after this, if there is one
	startAfter bool           // token goes into startAfter: the stream began so, or went on after an invalidate, and has received nothing since
	time       bson.Timestamp // else at this operation time
}

func (p position) isZero() bool { return p.token.IsZero() && p.time.IsZero() }

// when returns the operation time of the position, if it is known.
func (p position) when() (bson.Timestamp, bool) {
	if p.token.IsZero() {
		return p.time, !p.time.IsZero()
	}
	at, err := p.token.time()
	return at, err == nil
}

// startOf returns where the options say that a stream begins.
func startOf(opts *Options) position {
	switch {
	case !opts.StartAfter.IsZero():
		return position{token: opts.StartAfter, startAfter: true}
	case !opts.ResumeAfter.IsZero():
		return position{token: opts.ResumeAfter}
	default:
		return position{time: opts.StartAtOperationTime}
	}
}
