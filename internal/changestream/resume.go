package changestream

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// resumePoint is the event that a stream resumes from, until it was found among the events of its time.
type resumePoint struct {
	version  int32
	key      []byte // of the token, without the fragment
	fragment int32
}

func newResumePoint(t *Token) *resumePoint {
	whole := *t
	whole.Fragment = WholeEvent
	var w tokenWriter
	w.begin(&whole)
	return &resumePoint{version: t.Version, key: bytes.Clone(w.key()), fragment: t.Fragment}
}

// compare orders an event and the event that is looked for.
func (p *resumePoint) compare(w *tokenWriter, c *change) int {
	// Tokens of one time compare by their version first, so the event gets one of the same version.
	w.event(c, p.version)
	return bytes.Compare(w.key(), p.key)
}

// errNotFound is the error of a stream whose events begin after the one that it was to resume from.
func errNotFound(id bsonraw.Doc) error {
	return mongoerr.New(mongoerr.ChangeStreamFatalError, "cannot resume stream; the resume token was not found. %s", compact(id))
}
