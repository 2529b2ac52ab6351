package sluice

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Event is one change, as a view of the bytes that the server sent: nothing is decoded before a method asks for it,
// and only then. T is the type of the collection's documents; bson.Raw gives views without decoding.
//
// An Event is cheap to copy and may be kept, used from several goroutines, and appended to. It shares memory with the
// other events of its batch (up to 16 MiB): who keeps few events out of many for long keeps Clone of them.
// Fields that an event's kind does not have give the zero value; a pipeline that removes fields has the same effect.
type Event[T any] struct {
	raw bson.Raw
}

// Clone returns the event with memory of its own, so that keeping it keeps nothing else alive.
func (e Event[T]) Clone() Event[T] {
	if e.raw == nil {
		return e
	}
	raw := make(bson.Raw, len(e.raw))
	copy(raw, e.raw)
	return Event[T]{raw: raw}
}

// Token returns the position after this event: a copy, to be stored and given to Options.ResumeAfter
// (or StartAfter, which also takes the token of an invalidate event).
func (e Event[T]) Token() Token { return tokenOf(eventID(e.raw)) }

// OperationType returns what happened.
func (e Event[T]) OperationType() OperationType { return operationType(e.raw) }

// ClusterTime returns the time of the change in the server's oplog. The operations of a transaction share it.
func (e Event[T]) ClusterTime() bson.Timestamp { return clusterTime(e.raw) }

// WallTime returns the server's wall clock at the change, in UTC; zero on servers before MongoDB 6.0.
func (e Event[T]) WallTime() time.Time {
	at, ok := e.raw.Lookup("wallTime").TimeOK()
	if !ok {
		return time.Time{}
	}
	return at.UTC()
}

// Namespace returns the database and collection; Coll is empty for changes of a whole database, both for invalidate.
func (e Event[T]) Namespace() Namespace { return namespace(e.raw.Lookup("ns")) }

// RenamedTo returns the new name after a rename.
func (e Event[T]) RenamedTo() Namespace { return namespace(e.raw.Lookup("to")) }

// DocumentKey returns the _id (and the shard key's fields) of the changed document, nil for other kinds of events.
func (e Event[T]) DocumentKey() bson.Raw { return document(e.raw.Lookup("documentKey")) }

// FullDocument decodes the document after the change: of inserts and replacements always, of updates as
// Options.FullDocument asks. Without one (absent, or null because it is gone) the error is ErrNoDocument; when T cannot
// hold it, the driver's.
func (e Event[T]) FullDocument() (T, error) { return decodeField[T](e.raw, "fullDocument") }

// FullDocumentBeforeChange decodes the document before an update, replacement or deletion, as
// Options.FullDocumentBeforeChange asks. Without one the error is ErrNoDocument.
func (e Event[T]) FullDocumentBeforeChange() (T, error) {
	return decodeField[T](e.raw, "fullDocumentBeforeChange")
}

// OperationDescription returns the details of a create, createIndexes, dropIndexes, modify or rename event
// (with Options.ShowExpandedEvents), nil without.
func (e Event[T]) OperationDescription() bson.Raw {
	return document(e.raw.Lookup("operationDescription"))
}

// StateBeforeChange returns the options before a modify event, nil for other kinds.
func (e Event[T]) StateBeforeChange() bson.Raw { return document(e.raw.Lookup("stateBeforeChange")) }

// CollectionUUID returns the collection's UUID (with Options.ShowExpandedEvents).
func (e Event[T]) CollectionUUID() (bson.Binary, bool) {
	subtype, data, ok := e.raw.Lookup("collectionUUID").BinaryOK()
	if !ok {
		return bson.Binary{}, false
	}
	return bson.Binary{Subtype: subtype, Data: append([]byte(nil), data...)}, true
}

// Transaction returns the session and number of the transaction that the change belongs to; ok is false outside of one.
func (e Event[T]) Transaction() (lsid bson.Raw, txnNumber int64, ok bool) {
	lsid = document(e.raw.Lookup("lsid"))
	txnNumber, isNumber := e.raw.Lookup("txnNumber").AsInt64OK()
	if lsid == nil || !isNumber {
		return nil, 0, false
	}
	return lsid, txnNumber, true
}

// Raw returns the event's bytes as they came, or as they were put together from fragments. Appending to them is safe;
// changing them changes the event.
func (e Event[T]) Raw() bson.Raw { return e.raw }

// Decode decodes the whole event into v, for pipelines that give events another shape. It uses the driver's default
// registry, as FullDocument does. Errors are the driver's, that v cannot hold the event; of the zero Event, ErrNoDocument.
func (e Event[T]) Decode(v any) error {
	if len(e.raw) == 0 {
		return fmt.Errorf("sluice: decode event: %w", ErrNoDocument)
	}
	if err := bson.Unmarshal(e.raw, v); err != nil {
		return fmt.Errorf("sluice: decode event: %w", err)
	}
	return nil
}

// UpdateDescription returns what an update changed. Other kinds of events give ErrNoDocument.
func (e Event[T]) UpdateDescription() (UpdateDescription, error) {
	raw := document(e.raw.Lookup("updateDescription"))
	if raw == nil {
		return UpdateDescription{}, ErrNoDocument
	}
	return parseUpdateDescription(raw)
}

// decodeField decodes a document in a field of an event.
func decodeField[T any](event bson.Raw, field string) (T, error) {
	var zero T
	value := event.Lookup(field)
	if value.Type == 0 || value.Type == bson.TypeNull {
		return zero, ErrNoDocument
	}
	if _, ok := any(zero).(bson.Raw); ok {
		if raw := document(value); raw != nil {
			return any(raw).(T), nil // a view; it allocates nothing
		}
	}
	out := new(T)
	if err := value.Unmarshal(out); err != nil {
		return zero, fmt.Errorf("sluice: decode %s: %w", field, err)
	}
	return *out, nil
}

// document returns an embedded document with its capacity clipped, so that appending to it cannot overwrite what
// follows it in the server's reply; nil if the value is none.
func document(value bson.RawValue) bson.Raw {
	raw, ok := value.DocumentOK()
	if !ok {
		return nil
	}
	return slices.Clip(raw)
}

// eventID returns the resume token inside an event, nil if there is none. An empty document is none: a stream would
// start anew from it.
func eventID(event bson.Raw) bson.Raw {
	id, ok := event.Lookup("_id").DocumentOK()
	if !ok || len(id) <= emptyDocumentLen {
		return nil
	}
	return id
}

func clusterTime(event bson.Raw) bson.Timestamp {
	t, i, ok := event.Lookup("clusterTime").TimestampOK()
	if !ok {
		return bson.Timestamp{}
	}
	return bson.Timestamp{T: t, I: i}
}

func namespace(value bson.RawValue) Namespace {
	raw, ok := value.DocumentOK()
	if !ok {
		return Namespace{}
	}
	db, _ := raw.Lookup("db").StringValueOK()
	coll, _ := raw.Lookup("coll").StringValueOK()
	return Namespace{DB: db, Coll: coll}
}

// stringBytes returns the bytes of a BSON string without copying them.
func stringBytes(value bson.RawValue) ([]byte, bool) {
	const prefix, terminator = 4, 1
	if value.Type != bson.TypeString || len(value.Value) < prefix+terminator {
		return nil, false
	}
	return value.Value[prefix : len(value.Value)-terminator], true
}

func unquoteJSON(data []byte) (string, error) {
	var text string
	err := json.Unmarshal(data, &text)
	return text, err
}
