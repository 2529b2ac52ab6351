package sluice_test

import (
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
)

// offline gives a client that reaches no server: whatever talks to one fails by its name.
func offline(t *testing.T) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://192.0.2.1:1/?directConnection=true"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
	})
	return client
}

// contract: V1
func TestEveryProblemIsNamed(t *testing.T) {
	t.Parallel()
	client, other := offline(t), offline(t)
	session, err := other.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(t.Context())
	coll := client.Database("shop").Collection("orders")
	_, err = sluice.Watch[order](t.Context(), coll, bson.D{{Key: "$match", Value: bson.D{}}}, &sluice.Options{
		FullDocument:             "everything",
		FullDocumentBeforeChange: "nothing",
		ResumeAfter:              someToken(t),
		StartAfter:               someToken(t),
		StartAtOperationTime:     bson.Timestamp{T: 1},
		MaxAwaitTime:             -1,
		BatchSize:                -1,
		Collation:                &options.Collation{},
		Comment:                  make(chan int),
		Session:                  session,
		ReadAhead:                sluice.ReadAhead{MaxBytes: -1},
		Retry:                    sluice.Retry{MaxElapsed: -1, MinBackoff: 2, MaxBackoff: 1},
		OnInvalidate:             9,
		OnHistoryLost:            -1,
		RestartAt:                bson.Timestamp{T: 1},
	})
	var failure *sluice.Error
	if !errors.As(err, &failure) || failure.Op != "watch" || failure.Namespace.String() != "shop.orders" {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		"slice of stages", "FullDocument ", "FullDocumentBeforeChange", "ResumeAfter and StartAfter and StartAtOperationTime", "MaxAwaitTime", "BatchSize",
		"Collation", "Comment", "Session", "ReadAhead.MaxBytes", "Retry.MaxElapsed", "Retry.MinBackoff", "OnInvalidate", "OnHistoryLost", "RestartAt",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}

// contract: V2, G16
func TestBadPipelinesAndTargets(t *testing.T) {
	t.Parallel()
	coll := offline(t).Database("shop").Collection("orders")
	for name, pipeline := range map[string]any{
		"bson.D": bson.D{{Key: "$match", Value: 1}}, "bson.M": bson.M{"$match": 1}, "bson.Raw": mustRaw(t, bson.D{}), "a string": "[]", "a nil stage": bson.A{nil},
	} {
		if stream, err := sluice.Watch[order](t.Context(), coll, pipeline, nil); err == nil || stream != nil || !strings.Contains(err.Error(), "pipeline") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, target := range map[string]sluice.Target{"nil": nil, "nil collection": (*mongo.Collection)(nil), "nil client": (*mongo.Client)(nil)} {
		if _, err := sluice.Watch[order](t.Context(), target, nil, nil); err == nil || !strings.Contains(err.Error(), "target is nil") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sluice.Watch[order](t.Context(), coll, nil, &sluice.Options{OnHistoryLost: sluice.RestartAtTime}); err == nil || !strings.Contains(err.Error(), "RestartAt") {
		t.Errorf("RestartAtTime without RestartAt: %v", err)
	}
}
