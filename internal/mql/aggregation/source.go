package aggregation

import (
	"context"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Source is a sequence of documents.
type Source interface {
	// Next returns the next document, valid until the next call of Next, and io.EOF after the last one. It returns soon with
	// ctx's error when ctx ends. After an error, nothing more is asked.
	Next(ctx context.Context) (bsonraw.Doc, error)
}
