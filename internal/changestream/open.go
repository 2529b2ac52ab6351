package changestream

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/oplog"
)

// OpenOptions are what a stream needs beside its stage.
type OpenOptions struct {
	// Now is the timestamp of the newest entry: a stream that is told no start begins after it.
	Now oplog.Timestamp
	// Scope holds the collation of the pipeline's comparisons and the variables that its expressions may name.
	Scope *expression.Scope
	// Let is the command's let argument, of which Scope was made; nil without.
	Let bsonraw.Doc
	// Classes are those of all streams on the oplog; nil: the stream shares nothing with others.
	Classes *Classes
}

// Open makes a stream of a stage and the pipeline that it begins. Pipeline is the whole array of stages, $changeStream included;
// the stream keeps references into it. Close ends its use. Nothing is read: that a start is no longer in the oplog shows at the first Fill.
func Open(spec *Spec, pipeline bsonraw.Doc, o OpenOptions) (*Stream, error) {
	s := &Stream{scope: spec.scope, form: spec.form, fullDocument: spec.fullDocument, beforeChange: spec.beforeChange}
	var err error
	if s.stages, err = spec.compileStages(pipeline, o.Scope); err != nil {
		return nil, err
	}
	if s.stages.places {
		s.form |= formPlaces
	}
	switch {
	case spec.start != nil:
		err = s.startAtToken(spec)
	case spec.hasStartAt:
		s.startAt(spec.startAt)
	default:
		s.startAt(o.Now + 1)
	}
	if err != nil {
		return nil, err
	}
	if o.Classes != nil {
		if key, ok := spec.classKey(pipeline, o.Let, o.Scope.Collation()); ok {
			s.classes, s.class = o.Classes, o.Classes.join(key)
		}
	}
	return s, nil
}

func (s *Stream) startAt(ts oplog.Timestamp) {
	mark := HighWaterMark(ts)
	s.next, s.token, s.tokenTS = ts, mark.Append(nil), ts
}

func (s *Stream) startAtToken(spec *Spec) error {
	t := spec.start
	if t.Fragment != WholeEvent && !s.stages.split {
		return mongoerr.New(mongoerr.ChangeStreamFatalError, "To resume from a split event, the $changeStream pipeline must include a "+
			"$changeStreamSplitLargeEvent stage")
	}
	s.next, s.token, s.tokenTS = t.ClusterTime, bytes.Clone(spec.startDoc), t.ClusterTime
	if !t.HighWaterMark {
		s.resume = newResumePoint(t)
	}
	return nil
}

// dependsOnCommand reports whether expressions may give other results for another stream with the same stages.
func dependsOnCommand(pipeline bsonraw.Doc) bool {
	for _, name := range [...]string{"$$NOW", "$$CLUSTER_TIME", "$$USER_ROLES", "$rand", "$sampleRate"} {
		if bytes.Contains(pipeline, []byte(name)) {
			return true
		}
	}
	return false
}
