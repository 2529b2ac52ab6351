package store

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// RetryRecord is what is kept of one statement of a retryable write, in the same batch as the write itself, so that the
// statement is known as done exactly when it is done.
type RetryRecord struct {
	TxnNumber int64
	StmtID    int32
	Count     int32           // consecutive statements with the same outcome, from StmtID on: the group of an insert
	Time      oplog.Timestamp // of the oplog entry, as read from the store
	Result    bsonraw.Doc     // what a repeated statement answers; its meaning is the command's
}

// retryHeader is the length of a record before its result: transaction number, timestamp, count.
const retryHeader = 8 + 8 + 4

func appendRetryKey(dst, session []byte, stmtID int32) []byte {
	return binary.BigEndian.AppendUint32(append(append(dst, kindRetry), session...), uint32(stmtID))
}

// Retryable adds the record of a statement to the write, whose oplog entry was logged before.
func (w *Write) Retryable(session []byte, r RetryRecord) {
	key := appendRetryKey(w.scratch[:0], session, r.StmtID)
	w.scratch = key
	op := w.batch.SetDeferred(len(key), retryHeader+len(r.Result))
	copy(op.Key, key)
	binary.BigEndian.PutUint64(op.Value, uint64(r.TxnNumber))
	binary.BigEndian.PutUint32(op.Value[16:], uint32(r.Count))
	copy(op.Value[retryHeader:], r.Result)
	w.finish(op)
	entry := len(w.records) - 1
	if w.stmt > 0 {
		entry = w.stmt - 1
	}
	w.patches = append(w.patches, patch{w.batch.Len() - retryHeader - len(r.Result) + 8, entry, false})
}

// RetryRecords returns the records of a session, of its newest transaction number only.
func (r reader) RetryRecords(session []byte) ([]RetryRecord, error) {
	prefix := append([]byte{kindRetry}, session...)
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var records []RetryRecord
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		if len(it.Key()) != len(prefix)+4 || len(value) < retryHeader {
			continue
		}
		record := RetryRecord{
			TxnNumber: int64(binary.BigEndian.Uint64(value)),
			StmtID:    int32(binary.BigEndian.Uint32(it.Key()[len(prefix):])),
			Time:      oplog.Timestamp(binary.BigEndian.Uint64(value[8:])),
			Count:     int32(binary.BigEndian.Uint32(value[16:])),
			Result:    bsonraw.Doc(value[retryHeader:]).Clone(),
		}
		if len(records) > 0 && record.TxnNumber > records[0].TxnNumber {
			records = records[:0]
		}
		if len(records) == 0 || record.TxnNumber == records[0].TxnNumber {
			records = append(records, record)
		}
	}
	return records, it.Error()
}
