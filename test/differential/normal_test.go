package differential

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// normalizer replaces in the replies of one server what cannot be equal to the other's. Things that must be equal among each other stay
// so: they are numbered as they appear.
type normalizer struct {
	given   map[string]bool // ObjectIds and UUIDs that the scenario itself wrote: they stay
	numbers map[string]int
	counts  map[string]int // by kind
}

func newNormalizer(s scenario) *normalizer {
	n := &normalizer{given: map[string]bool{}, numbers: map[string]int{}, counts: map[string]int{}}
	for _, one := range s.steps {
		n.note(one.command)
	}
	return n
}

// note remembers the ids in a command.
func (n *normalizer) note(v any) {
	switch v := v.(type) {
	case bson.D:
		for _, e := range v {
			n.note(e.Value)
		}
	case bson.A:
		for _, e := range v {
			n.note(e)
		}
	case bson.ObjectID:
		n.given[v.Hex()] = true
	case bson.Binary:
		n.given[hex.EncodeToString(v.Data)] = true
	}
}

// numbered names the nth different thing of a kind.
func (n *normalizer) numbered(kind, key string) string {
	if n.numbers[kind+key] == 0 {
		n.counts[kind]++
		n.numbers[kind+key] = n.counts[kind]
	}
	return fmt.Sprintf("<%s %d>", kind, n.numbers[kind+key])
}

// known numbers the id of a cursor.
func (n *normalizer) known(cursor int64) {
	if cursor != 0 {
		n.numbered("cursor", fmt.Sprint(cursor))
	}
}

// unequal are fields that differ by their nature: times of the log, texts for people, names of nodes.
var unequal = map[string]bool{
	"$clusterTime": true, "operationTime": true, "errmsg": true, "electionId": true, "opTime": true,
	"topologyVersion": true,
}

// ofStorage are fields in which mongod tells of its own storage engine, of its own way to run a plan and of the machine.
var ofStorage = map[string]bool{
	"wiredTiger": true, "indexDetails": true,
	"serverInfo": true, "serverParameters": true, "queryHash": true, "planCacheKey": true, "executionTimeMillis": true,
	"executionTimeMillisEstimate": true, "works": true, "needTime": true, "needYield": true, "saveState": true,
	"restoreState": true, "totalDataSizeSorted": true,
}

// estimated are fields whose values depend on how a server stores things, or on the machine: only their types are compared.
var estimated = map[string]bool{
	"storageSize": true, "freeStorageSize": true, "totalIndexSize": true, "totalSize": true, "indexSizes": true, "indexSize": true,
	"indexFreeStorageSize": true, "totalFreeStorageSize": true, "fsUsedSize": true, "fsTotalSize": true, "sizeOnDisk": true,
	"totalSizeMb": true, "millis": true, "timeMillis": true, "bytesFreed": true, "host": true,
}

// kindOf is a value without what is estimated about it.
func kindOf(v any) any {
	d, isDocument := v.(bson.D)
	if !isDocument {
		return fmt.Sprintf("<%T>", v)
	}
	out := make(bson.D, len(d))
	for i, e := range d {
		out[i] = bson.E{Key: e.Key, Value: kindOf(e.Value)}
	}
	return out
}

// reply renders a command's reply.
func (n *normalizer) reply(raw bson.Raw) string {
	d, err := decode(raw)
	if err != nil {
		return err.Error()
	}
	if cursor, isCursor := field(d, "cursor").(bson.D); isCursor {
		for i, e := range cursor {
			if id, isID := e.Value.(int64); e.Key == "id" && isID && id != 0 {
				cursor[i].Value = n.numbered("cursor", fmt.Sprint(id))
			}
		}
		// mongod gives them in several orders, by what kind of plan it has.
		slices.SortFunc(cursor, func(a, b bson.E) int { return strings.Compare(a.Key, b.Key) })
	}
	for i, e := range d {
		if e.Key == "ok" && e.Value == int32(1) { // as count and distinct on views have it
			d[i].Value = 1.0
		}
	}
	return jsonOf(n.value(labelsLast(d)))
}

// labelsLast moves errorLabels to the end, since mongod has several places for them.
func labelsLast(d bson.D) bson.D {
	at := slices.IndexFunc(d, func(e bson.E) bool { return e.Key == "errorLabels" })
	if at >= 0 {
		labels := d[at]
		d = append(slices.Delete(d, at, at+1), labels)
	}
	return d
}

func decode(raw bson.Raw) (bson.D, error) {
	var d bson.D
	if err := bson.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("a reply that cannot be read: %w", err)
	}
	return d, nil
}

// field is the value of a field, or nil.
func field(d bson.D, key string) any {
	for _, e := range d {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// renamed are names of codes that only later versions have.
var renamed = map[string]string{"IDLFailedToParse": "Location40414", "IDLUnknownField": "Location40415", "IDLDuplicateField": "Location40413"}

func laterName(e bson.E) string {
	if name, isText := e.Value.(string); isText && e.Key == "codeName" {
		return renamed[name]
	}
	return ""
}

// temporary is how the names of collections begin that servers make for a while.
var temporary = regexp.MustCompile(`\btmp[A-Za-z0-9]{5}\.|\btmp\.agg_out\.[0-9a-f-]{36}`)

func (n *normalizer) value(v any) any {
	switch v := v.(type) {
	case bson.D:
		if len(v) > 0 && v[0].Key == "_data" {
			return n.token(v)
		}
		out := make(bson.D, 0, len(v))
		for _, e := range v {
			if unequal[e.Key] {
				continue
			}
			if e.Key == "postBatchResumeToken" {
				e.Value = "<position>" // others write meanwhile, so it may be that of an event or behind it
			}
			if name := laterName(e); name != "" {
				e.Value = name
			}
			if ofStorage[e.Key] {
				continue
			}
			if estimated[e.Key] || e.Key == "keyValue" && (has(v, "hexEncoded") || has(v, "collation")) { // the weights of a collation, which each server has its own of
				e.Value = kindOf(e.Value)
			}
			out = append(out, bson.E{Key: e.Key, Value: n.value(e.Value)})
		}
		return out
	case bson.A:
		out := make(bson.A, len(v))
		for i, e := range v {
			out[i] = n.value(e)
		}
		return out
	case bson.ObjectID:
		if n.given[v.Hex()] || !isNow(v.Timestamp()) {
			return v
		}
		return n.numbered("ObjectId", v.Hex())
	case bson.Binary:
		if key := hex.EncodeToString(v.Data); v.Subtype == bson.TypeBinaryUUID && !n.given[key] {
			return n.numbered("UUID", key)
		}
		return v
	case bson.DateTime:
		if isNow(v.Time()) {
			return "<now>"
		}
		return v
	case string:
		return temporary.ReplaceAllString(v, "tmp<random>.")
	case bson.Timestamp:
		if isNow(time.Unix(int64(v.T), 0)) {
			return "<timestamp of now>"
		}
		return v
	case int64:
		if id := "cursor" + fmt.Sprint(v); n.numbers[id] != 0 {
			return fmt.Sprintf("<cursor %d>", n.numbers[id])
		}
		return v
	default:
		return v
	}
}

// token tells marks from events' tokens, which are numbered. Their bytes are the subject of other tests.
func (n *normalizer) token(v bson.D) any {
	data, isText := v[0].Value.(string)
	const timeEnd, mark = 18, "29" // the type of a mark is 0
	if !isText || len(data) < timeEnd+6 {
		return v
	}
	if data[timeEnd+4:timeEnd+6] == mark {
		return "<mark>"
	}
	return n.numbered("token", jsonOf(v))
}

// isNow says that a time is of this run; scenarios write none that is near.
func isNow(t time.Time) bool { return time.Since(t).Abs() < 12*time.Hour }

// events renders the events of a stream, with what the servers' tokens have in common: their order.
func (n *normalizer) events(list []bson.Raw) string {
	var b strings.Builder
	last := ""
	for _, raw := range list {
		d, err := decode(raw)
		if err != nil {
			return err.Error()
		}
		b.WriteString("\n      " + jsonOf(n.value(asBefore(d))))
		token, _ := raw.Lookup("_id", "_data").StringValueOK()
		if token != "" && token <= last {
			b.WriteString(" whose token does not follow the one before")
		}
		last = token
	}
	return b.String()
}

// asBefore leaves out of an event what only 7.0 has.
func asBefore(event bson.D) bson.D {
	for i, e := range event {
		if description, ok := e.Value.(bson.D); ok && e.Key == "updateDescription" {
			at := slices.IndexFunc(description, func(e bson.E) bool { return e.Key == "disambiguatedPaths" })
			if at >= 0 {
				event[i].Value = slices.Delete(description, at, at+1)
			}
		}
	}
	return event
}

// entries renders entries of the oplog.
func (n *normalizer) entries(list []bson.Raw) string {
	var b strings.Builder
	for _, raw := range list {
		d, err := decode(raw)
		if err != nil {
			return err.Error()
		}
		b.WriteString("\n      " + jsonOf(n.value(d)))
	}
	return b.String()
}
