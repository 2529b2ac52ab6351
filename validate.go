package sluice

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// problems collects everything that is wrong with the arguments of Watch, so that one error names it all.
type problems []string

func (p *problems) addf(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

func (p problems) err(ns Namespace) error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Op: opWatch, Namespace: ns, Err: fmt.Errorf("invalid arguments: %s", strings.Join(p, "; "))}
}

// normalized returns a copy of opts with every default filled in. It reports each problem that can be seen without
// asking a server. client is nil if the target does not tell it.
func (opts *Options) normalized(client *mongo.Client, p *problems) Options {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.validateStart(p)
	o.validateServerOptions(client, p)
	o.validatePolicies(p)

	if o.MaxAwaitTime > 0 {
		o.MaxAwaitTime = ceilMillisecond(o.MaxAwaitTime)
	}
	if o.FullDocument == "default" {
		o.FullDocument = DefaultDocument
	}
	if o.Retry.MinBackoff == 0 {
		o.Retry.MinBackoff = defaultMinBackoff
		if o.Retry.MaxBackoff > 0 {
			o.Retry.MinBackoff = min(o.Retry.MinBackoff, o.Retry.MaxBackoff)
		}
	}
	if o.Retry.MaxBackoff == 0 {
		o.Retry.MaxBackoff = max(defaultMaxBackoff, o.Retry.MinBackoff)
	}
	if o.ReadAhead.MaxBytes == 0 {
		o.ReadAhead.MaxBytes = defaultReadAheadBytes
	}
	if o.Collation != nil {
		collation := *o.Collation
		o.Collation = &collation
	}
	o.Comment = copied(o.Comment)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (opts *Options) validateStart(p *problems) {
	var given []string
	if !opts.ResumeAfter.IsZero() {
		given = append(given, "ResumeAfter")
	}
	if !opts.StartAfter.IsZero() {
		given = append(given, "StartAfter")
	}
	if !opts.StartAtOperationTime.IsZero() {
		given = append(given, "StartAtOperationTime")
	}
	if len(given) > 1 {
		p.addf("only one start option may be given, but there are %s", strings.Join(given, " and "))
	}
}

func (opts *Options) validateServerOptions(client *mongo.Client, p *problems) {
	switch opts.FullDocument {
	case DefaultDocument, "default", UpdateLookup, WhenAvailable, Required:
	default:
		p.addf("FullDocument %q is none of updateLookup, whenAvailable, required", opts.FullDocument)
	}
	switch opts.FullDocumentBeforeChange {
	case BeforeOff, "off", BeforeWhenAvailable, BeforeRequired:
	default:
		p.addf("FullDocumentBeforeChange %q is none of whenAvailable, required", opts.FullDocumentBeforeChange)
	}
	if opts.MaxAwaitTime < 0 {
		p.addf("MaxAwaitTime %s is negative", opts.MaxAwaitTime)
	}
	if opts.BatchSize < 0 {
		p.addf("BatchSize %d is negative", opts.BatchSize)
	}
	if opts.Collation != nil && opts.Collation.Locale == "" {
		p.addf("Collation has no Locale")
	}
	if opts.Comment != nil {
		if _, _, err := bson.MarshalValue(opts.Comment); err != nil {
			p.addf("Comment cannot be encoded as BSON: %v", err)
		}
	}
	if opts.Session != nil && client != nil && opts.Session.Client() != client {
		p.addf("Session belongs to another client than the target")
	}
}

func (opts *Options) validatePolicies(p *problems) {
	if opts.ReadAhead.MaxBytes < 0 {
		p.addf("ReadAhead.MaxBytes %d is negative", opts.ReadAhead.MaxBytes)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"Retry.MaxElapsed", opts.Retry.MaxElapsed},
		{"Retry.MinBackoff", opts.Retry.MinBackoff},
		{"Retry.MaxBackoff", opts.Retry.MaxBackoff},
	} {
		if d.value < 0 {
			p.addf("%s %s is negative", d.name, d.value)
		}
	}
	if opts.Retry.MaxBackoff > 0 && opts.Retry.MinBackoff > opts.Retry.MaxBackoff {
		p.addf("Retry.MinBackoff %s is longer than Retry.MaxBackoff %s", opts.Retry.MinBackoff, opts.Retry.MaxBackoff)
	}
	if opts.OnInvalidate < EndOnInvalidate || opts.OnInvalidate > ContinueOnInvalidate {
		p.addf("OnInvalidate %d is no policy", opts.OnInvalidate)
	}
	if opts.OnHistoryLost < FailOnHistoryLost || opts.OnHistoryLost > RestartAtTime {
		p.addf("OnHistoryLost %d is no policy", opts.OnHistoryLost)
	}
	switch restartAt := !opts.RestartAt.IsZero(); {
	case opts.OnHistoryLost == RestartAtTime && !restartAt:
		p.addf("OnHistoryLost RestartAtTime needs RestartAt")
	case opts.OnHistoryLost != RestartAtTime && restartAt:
		p.addf("RestartAt is given without OnHistoryLost RestartAtTime")
	}
}

// ceilMillisecond rounds up, because the server counts in milliseconds and takes 0 for its default.
func ceilMillisecond(d time.Duration) time.Duration {
	if rounded := d.Truncate(time.Millisecond); rounded != d {
		return rounded + time.Millisecond
	}
	return d
}

const splitStage = "$changeStreamSplitLargeEvent"

// pipelineStages returns the stages of a pipeline, with the containers among them copied, so that a caller who changes
// the pipeline after Watch does not change what a stream sends when it opens its cursor again.
func pipelineStages(pipeline any, p *problems) []any {
	if pipeline == nil {
		return nil
	}
	const hint = "a pipeline is a slice of stages, such as mongo.Pipeline{{{\"$match\", ...}}}"
	value := reflect.ValueOf(pipeline)
	kind := value.Kind()
	if kind != reflect.Slice && kind != reflect.Array {
		p.addf("the pipeline is a %T: %s", pipeline, hint)
		return nil
	}
	switch value.Type().Elem() {
	case reflect.TypeFor[bson.E]():
		p.addf("the pipeline is a single document (%T): %s", pipeline, hint)
		return nil
	case reflect.TypeFor[byte]():
		p.addf("the pipeline is a string of bytes (%T): %s", pipeline, hint)
		return nil
	}
	stages := make([]any, value.Len())
	for i := range stages {
		stages[i] = copied(value.Index(i).Interface())
		if stages[i] == nil {
			p.addf("stage %d of the pipeline is nil", i)
		}
	}
	return stages
}

// copied copies BSON containers recursively and leaves all other values, which the driver encodes with the registry of
// the target.
func copied(v any) any {
	switch v := v.(type) {
	case bson.D:
		d := make(bson.D, len(v))
		for i, e := range v {
			d[i] = bson.E{Key: e.Key, Value: copied(e.Value)}
		}
		return d
	case bson.M:
		m := make(bson.M, len(v))
		for key, value := range v {
			m[key] = copied(value)
		}
		return m
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[key] = copied(value)
		}
		return m
	case bson.A:
		a := make(bson.A, len(v))
		for i, value := range v {
			a[i] = copied(value)
		}
		return a
	case []any:
		a := make([]any, len(v))
		for i, value := range v {
			a[i] = copied(value)
		}
		return a
	case bson.Raw:
		return append(bson.Raw(nil), v...)
	default:
		return v
	}
}
