package command

import (
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// maxClusterTimeAhead is how far a client's $clusterTime may be ahead of the clock.
const maxClusterTimeAhead = 365 * 24 * time.Hour

// signatureSize is the size of a $clusterTime's signature.
const signatureSize = 20

// checkGossip checks a client's $clusterTime. Nothing follows from it: there is one node, and only its own clock counts.
func checkGossip(v bsonraw.Value, now time.Time) error {
	if v.Type != bsonraw.TypeDocument {
		return mongoerr.New(10065, "invalid parameter: expected an object ($clusterTime)")
	}
	at := v.Doc().Lookup("clusterTime")
	switch {
	case at.IsMissing():
		return mongoerr.New(mongoerr.NoSuchKey, "Missing expected field \"clusterTime\"")
	case at.Type != bsonraw.TypeTimestamp:
		return wrongType("$clusterTime.clusterTime", at, "timestamp")
	}
	if ts := oplog.Timestamp(at.Int64()); int64(ts.Seconds()) > now.Add(maxClusterTimeAhead).Unix() {
		return mongoerr.New(mongoerr.ClusterTimeFailsRateLimiter, "New $clusterTime, %d, is too far from this node's wall clock time, %d.",
			ts.Seconds(), now.Unix())
	}
	signature := v.Doc().Lookup("signature")
	switch {
	case signature.IsMissing():
		return mongoerr.New(mongoerr.NoSuchKey, "Missing expected field \"signature\"")
	case signature.Type != bsonraw.TypeDocument:
		return wrongType("$clusterTime.signature", signature, "object")
	}
	if _, hash := signature.Doc().Lookup("hash").Binary(); len(hash) != signatureSize {
		return mongoerr.New(mongoerr.UnsupportedFormat, "Unsupported SHA1Block hash length: %d", len(hash))
	}
	return nil
}

// minMaxStaleness is the smallest maxStalenessSeconds.
const minMaxStaleness = 90

// checkReadPreference checks a client's $readPreference. Whatever it prefers, it gets the one node there is.
func checkReadPreference(v bsonraw.Value) error {
	if v.Type != bsonraw.TypeDocument {
		return mongoerr.New(mongoerr.TypeMismatch, "$readPreference has incorrect type: expected object but got %s", v.Type.Name())
	}
	mode := v.Doc().Lookup("mode")
	switch {
	case mode.IsMissing():
		return mongoerr.New(mongoerr.NoSuchKey, "Missing expected field \"mode\"")
	case mode.Type != bsonraw.TypeString:
		return wrongType("$readPreference.mode", mode, "string")
	}
	primary := false
	switch string(mode.Bytes()) {
	case "primary":
		primary = true
	case "primaryPreferred", "secondary", "secondaryPreferred", "nearest":
	default:
		return mongoerr.New(mongoerr.BadValue, "Could not parse $readPreference mode '%s'. Only the modes 'primary', 'primaryPreferred', "+
			"'secondary', 'secondaryPreferred', and 'nearest' are supported.", mode.Str())
	}
	if primary {
		return checkPrimaryPreference(v.Doc())
	}
	if n, ok := v.Doc().Lookup("maxStalenessSeconds").AsInt64(); ok && n != 0 && n < minMaxStaleness {
		return mongoerr.New(mongoerr.MaxStalenessOutOfRange, "maxStalenessSeconds value can not be less than %d", minMaxStaleness)
	}
	return nil
}

// checkPrimaryPreference refuses what makes no sense where only the primary will do.
func checkPrimaryPreference(d bsonraw.Doc) error {
	for it := d.Iter(); it.Next(); {
		v := it.Value()
		switch string(it.Key()) {
		case "tags":
			if v.Type == bsonraw.TypeArray && !v.Doc().IsEmpty() && !onlyEmptyTags(v.Doc()) {
				return mongoerr.New(mongoerr.BadValue, "Only empty tags are allowed with primary read preference")
			}
		case "maxStalenessSeconds":
			if n, ok := v.AsInt64(); ok && n != 0 {
				return mongoerr.New(mongoerr.BadValue, "maxStalenessSeconds can not be set for the primary mode")
			}
		case "hedge":
			if v.Type == bsonraw.TypeDocument && v.Doc().Lookup("enabled").Truthy() {
				return mongoerr.New(mongoerr.InvalidOptions, "cannot enable hedging for $readPreference mode \"primaryOnly\"")
			}
		}
	}
	return nil
}

func onlyEmptyTags(list bsonraw.Doc) bool {
	it := list.Iter()
	return it.Next() && it.Value().Type == bsonraw.TypeDocument && it.Value().Doc().IsEmpty() && !it.Next()
}
