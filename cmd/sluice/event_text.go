package main

import (
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
)

// event is an event whose documents are left as bytes.
type event = sluice.Event[bson.Raw]

// textRenderer renders events for people, one line each.
type textRenderer struct {
	columns  func() int // the width of a line
	coloured bool
	zone     *time.Location
	now      func() time.Time
	newest   int64 // the server's time when it was last heard of, in seconds; 0: not known
}

// noticeableLag is how far an event has to be behind the server for its line to say so.
const noticeableLag = 5 * time.Second

// heard notes how far the server is.
func (r *textRenderer) heard(h sluice.Health) {
	if !h.Position.IsZero() {
		r.newest = int64(h.Position.T) + int64(h.Lag/time.Second)
	}
}

// render returns the event's line: when, what, where, which document, and what changed.
func (r *textRenderer) render(e event) ([]byte, error) {
	l := &line{columns: r.columns(), coloured: r.coloured}
	r.when(l, e)
	operation := e.OperationType()
	if operation == "" { // the pipeline has given it another shape
		l.document(e.Raw(), "_id")
		return l.end(), nil
	}
	const longestCommon = len("replace")
	l.styledText(operationStyle(operation), string(operation))
	for range longestCommon - len(operation) {
		l.text(" ")
	}
	if ns := e.Namespace().String(); ns != "" {
		l.text("  " + ns)
	}
	if key := e.DocumentKey(); key != nil {
		l.text("  ")
		l.documentKey(key)
	}
	l.change(e)
	return l.end(), nil
}

// when appends the time, with the date if that is not today, and the lag if there is one.
func (r *textRenderer) when(l *line, e event) {
	const clock, full = "15:04:05.000", "2006-01-02 15:04:05.000"
	at := e.WallTime()
	if at.IsZero() {
		if e.ClusterTime().IsZero() {
			return
		}
		at = time.Unix(int64(e.ClusterTime().T), 0)
	}
	at = at.In(r.zone)
	layout := full
	if at.Format(time.DateOnly) == r.now().In(r.zone).Format(time.DateOnly) {
		layout = clock
	}
	l.styledText(faint, at.Format(layout))
	if behind := time.Duration(r.newest-int64(e.ClusterTime().T)) * time.Second; behind >= noticeableLag && !e.ClusterTime().IsZero() {
		l.text(" ")
		l.styledText(yellow, "("+behind.String()+" behind)")
	}
	l.text("  ")
}

func operationStyle(operation sluice.OperationType) style {
	switch operation {
	case sluice.Insert:
		return green
	case sluice.Update, sluice.Replace:
		return yellow
	case sluice.Delete, sluice.Drop, sluice.DropDatabase, sluice.Invalidate:
		return red
	default:
		return cyan
	}
}

// documentKey appends the _id, or all fields of the key if it has a shard key's too.
func (l *line) documentKey(key bson.Raw) {
	elements, err := key.Elements()
	if err == nil && len(elements) == 1 && elements[0].Key() == "_id" {
		l.value(elements[0].Value())
		return
	}
	l.document(key, "")
}

// change appends what changed. The _id, which stands in the line already, is left out of documents.
func (l *line) change(e event) {
	key := ""
	if e.DocumentKey() != nil {
		key = "_id"
	}
	if e.OperationType() == sluice.Update {
		l.updated(e)
		l.labelled("now", e.FullDocument, key)
	} else if doc, err := e.FullDocument(); err == nil {
		l.text("  ")
		l.document(doc, key)
	}
	l.labelled("was", e.FullDocumentBeforeChange, key)
	if to := e.RenamedTo().String(); to != "" {
		l.text(" → " + to)
	}
	if details := e.OperationDescription(); details != nil && e.OperationType() != sluice.Rename {
		l.text("  ")
		l.document(details, "")
	}
}

// labelled appends a document of the event, if it is there.
func (l *line) labelled(label string, get func() (bson.Raw, error), skip string) {
	doc, err := get()
	if err != nil {
		return
	}
	l.text("  ")
	l.styledText(faint, label)
	l.text(" ")
	l.document(doc, skip)
}

// updated appends the fields that an update set, removed and shortened.
func (l *line) updated(e event) {
	change, err := e.UpdateDescription()
	if err != nil {
		return
	}
	l.text("  ")
	n := l.fields(change.UpdatedFields, "")
	next := func(label string) {
		if n++; n > 1 {
			l.text(", ")
		}
		l.styledText(faint, label)
		l.text(" ")
	}
	for _, path := range change.RemovedFields {
		if l.full {
			return
		}
		next("removed")
		l.key(path)
	}
	for _, array := range change.TruncatedArrays {
		if l.full {
			return
		}
		next("cut")
		l.key(array.Field)
		l.text(" to ")
		l.text(strconv.Itoa(int(array.NewSize)))
	}
}
