package sluice_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/internal/testmongo"
)

// BenchmarkBacklog reads events that are there already, with a handler that does nothing: what a stream costs beside the
// server, and the driver's own stream to compare with.
func BenchmarkBacklog(b *testing.B) {
	testmongo.Bench(b, func(b *testing.B, server *testmongo.Server) {
		const backlog = 100_000
		coll := testmongo.Database(b, server.Client(b)).Collection("orders")
		if _, err := coll.InsertOne(b.Context(), order{ID: -1}); err != nil {
			b.Fatal(err)
		}
		start := watch(b, coll, nil, nil).ResumeToken()
		docs := make([]order, 1000)
		for n := 0; n < backlog; n += len(docs) {
			for i := range docs {
				docs[i] = order{ID: n + i, Item: "a pound of tea, and some more so that the document has a usual size"}
			}
			if _, err := coll.InsertMany(b.Context(), docs); err != nil {
				b.Fatal(err)
			}
		}
		rate := func(b *testing.B) { b.ReportMetric(float64(backlog)*float64(b.N)/b.Elapsed().Seconds(), "events/s") }

		b.Run("driver", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				stream, err := coll.Watch(b.Context(), mongo.Pipeline{}, options.ChangeStream().SetResumeAfter(start.Raw()))
				if err != nil {
					b.Fatal(err)
				}
				for range backlog {
					if !stream.Next(b.Context()) {
						b.Fatal(stream.Err())
					}
				}
				_ = stream.Close(b.Context())
			}
			rate(b)
		})
		b.Run("Next", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				stream, err := sluice.Watch[bson.Raw](b.Context(), coll, nil, &sluice.Options{ResumeAfter: start})
				if err != nil {
					b.Fatal(err)
				}
				for range backlog {
					if _, err := stream.Next(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				_ = stream.Close()
			}
			rate(b)
		})
		b.Run("NextBatch", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				stream, err := sluice.Watch[bson.Raw](b.Context(), coll, nil, &sluice.Options{ResumeAfter: start})
				if err != nil {
					b.Fatal(err)
				}
				for n := 0; n < backlog; {
					events, err := stream.NextBatch(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					n += len(events)
				}
				_ = stream.Close()
			}
			rate(b)
		})
	})
}

// BenchmarkEvent reads fields of one event.
func BenchmarkEvent(b *testing.B) {
	testmongo.Bench(b, func(b *testing.B, server *testmongo.Server) {
		f := newFixture(b, server)
		stream := watch(b, f.coll, nil, nil)
		f.insert(b, 1)
		e, err := stream.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.Run("operation and key", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = e.OperationType(), e.DocumentKey()
			}
		})
		b.Run("decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.FullDocument(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("token", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = e.Token()
			}
		})
	})
}
