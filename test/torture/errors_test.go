package torture

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/sluicestream/sluice/test/internal/workload"
)

// resumable are the codes that servers label so that streams resume; after those of stateChange drivers look for the server anew.
var (
	resumable   = []int32{6, 7, 63, 89, 133, 150, 234, 43}
	stateChange = []int32{91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
)

const errorPause = 15 * time.Millisecond // between two fail points

// injectErrors sets one fail point after the other, each for one of the readers or for all.
func (to *torture) injectErrors(ctx context.Context, stop <-chan struct{}) error {
	random := to.dice("errors")
	admin := to.calm.Database("admin")
	set := func(name string, mode any, data bson.D) error {
		return admin.RunCommand(ctx, bson.D{{Key: "configureFailPoint", Value: name}, {Key: "mode", Value: mode}, {Key: "data", Value: data}}).Err()
	}
	const command, checkout = "failCommand", "failGetMoreAfterCursorCheckout"
	pause := func() time.Duration { return time.Duration(random.Int64N(int64(2 * errorPause))) }
	err := workload.Repeat(ctx, stop, pause, func(context.Context) error {
		mode := bson.D{{Key: "times", Value: 1 + random.IntN(3)}}
		code := resumable[random.IntN(len(resumable))]
		if random.IntN(3) == 0 {
			code = stateChange[random.IntN(len(stateChange))]
		}
		if random.IntN(3) == 0 {
			return set(checkout, mode, bson.D{{Key: "errorCode", Value: code}})
		}
		data := bson.D{
			{Key: "failCommands", Value: bson.A{"aggregate", "getMore", "killCursors"}},
			{Key: "appName", Value: to.readers[random.IntN(len(to.readers))].name},
		}
		switch random.IntN(4) {
		case 0:
			data = append(data, bson.E{Key: "closeConnection", Value: true})
		case 1:
			data = append(data, bson.E{Key: "blockConnection", Value: true}, bson.E{Key: "blockTimeMS", Value: random.IntN(50)})
		default:
			data = append(data, bson.E{Key: "errorCode", Value: code}, bson.E{Key: "errorLabels", Value: bson.A{"ResumableChangeStreamError"}})
		}
		return set(command, mode, data)
	})
	if err != nil {
		return err
	}
	if err := set(command, "off", bson.D{}); err != nil {
		return err
	}
	return set(checkout, "off", bson.D{})
}

// sawFailures counts the commands of a client that a fail point has failed.
func (to *torture) sawFailures() *event.CommandMonitor {
	return &event.CommandMonitor{Failed: func(_ context.Context, e *event.CommandFailedEvent) {
		if e.Failure != nil && strings.Contains(strings.ToLower(fmt.Sprint(e.Failure)), "failpoint") {
			to.faults.count("error of " + e.CommandName)
		}
	}}
}
