package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/test/internal/ledger"
)

// lastID is the document that is written when all writers are done; a reader that sees its insert has seen all.
const lastID = "end/0"

// reader follows the database with a change stream. Whenever the connection or the server is gone, and now and then without such a
// reason and amid a batch, it opens another stream from the last token that it kept.
type reader struct {
	server *endpoint
	random *rand.Rand
	start  bson.E // the option of the first opening, when there is no token yet
	token  bson.Raw
	events []ledger.Observed
	opened func() // called once, after the first opening
	resume int    // how often it opened a stream with resumeAfter
	abrupt bool   // drop parts of batches and resume before them
}

// follow reads until it has seen the last document.
func (r *reader) follow(ctx context.Context) error {
	for {
		c, err := r.server.dial(ctx)
		if err != nil {
			return fmt.Errorf("change stream after %d events: %w", len(r.events), err)
		}
		done, err := r.stream(ctx, c)
		c.close()
		var refused *serverError
		switch {
		case errors.As(err, &refused) && !refused.has("ResumableChangeStreamError"):
			return fmt.Errorf("change stream after %d events and %d resumes: %w", len(r.events), r.resume, err)
		case errors.Is(err, errProtocol):
			return err
		case done:
			return nil
		}
	}
}

var errProtocol = errors.New("not what a change stream answers")

// stream opens one stream and reads it until it breaks or ends; done says that the last document was seen.
func (r *reader) stream(ctx context.Context, c *conn) (done bool, err error) {
	option := r.start
	if r.token != nil {
		option = bson.E{Key: "resumeAfter", Value: r.token}
		r.resume++
	}
	options := bson.D{}
	if option.Key != "" {
		options = append(options, option)
	}
	reply, err := r.ask(ctx, c, bson.D{
		{Key: "aggregate", Value: 1},
		{Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: options}}}},
		{Key: "cursor", Value: bson.D{{Key: "batchSize", Value: r.random.IntN(100)}}},
		{Key: "$db", Value: database},
	})
	if err != nil {
		return false, err
	}
	cursor, _ := reply.Lookup("cursor", "id").AsInt64OK()
	if cursor == 0 {
		return false, fmt.Errorf("%w: no cursor in %s", errProtocol, reply)
	}
	for batch := "firstBatch"; ; batch = "nextBatch" {
		done, again, err := r.take(reply, batch)
		if done || again || err != nil {
			return done, err
		}
		if r.opened != nil {
			r.opened()
			r.opened = nil
		}
		if reply, err = r.ask(ctx, c, bson.D{
			{Key: "getMore", Value: cursor},
			{Key: "collection", Value: "$cmd.aggregate"},
			{Key: "batchSize", Value: 1 + r.random.IntN(1000)},
			{Key: "maxTimeMS", Value: 500},
			{Key: "$db", Value: database},
		}); err != nil {
			return false, err
		}
	}
}

func (r *reader) ask(ctx context.Context, c *conn, command bson.D) (bson.Raw, error) {
	reply, err := c.run(ctx, document(command))
	if err != nil {
		return nil, err
	}
	return reply, replyError(reply)
}

// take keeps the events of a batch, or some of them; again asks for a new stream from the last one kept.
func (r *reader) take(reply bson.Raw, batch string) (done, again bool, err error) {
	list, ok := reply.Lookup("cursor", batch).ArrayOK()
	if !ok {
		return false, false, fmt.Errorf("%w: no %s in %s", errProtocol, batch, reply)
	}
	values, err := list.Values()
	if err != nil {
		return false, false, fmt.Errorf("%w: %w", errProtocol, err)
	}
	keep := len(values)
	if r.abrupt && keep > 0 && r.random.IntN(20) == 0 {
		keep = r.random.IntN(keep)
	}
	for _, value := range values[:keep] {
		event, _ := value.DocumentOK()
		seen, err := ledger.Read(event)
		if err != nil {
			return false, false, fmt.Errorf("%w: %w", errProtocol, err)
		}
		r.events = append(r.events, seen)
		r.token = event.Lookup("_id").Document()
		if seen.ID == lastID {
			return true, false, nil
		}
	}
	if keep < len(values) {
		return false, r.token != nil, nil
	}
	if position, ok := reply.Lookup("cursor", "postBatchResumeToken").DocumentOK(); ok {
		r.token = position
	} else {
		return false, false, fmt.Errorf("%w: no postBatchResumeToken in %s", errProtocol, reply)
	}
	return false, false, nil
}

// lookup finds a value by its dotted path.
func lookup(doc bson.Raw, path string) bson.RawValue { return doc.Lookup(strings.Split(path, ".")...) }
