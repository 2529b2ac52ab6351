package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

const growthCollection = "growth"

// growth is how one cost changes with one size: a plot.
type growth struct {
	name, about    string
	xLabel, yLabel string
	sizes          []int64 // ascending: what one needs is added to what the one before it left
	peers          []string
	prepare        func(ctx context.Context, p *peer, size int64) error
	measure        func(ctx context.Context, p *peer, r round, size int64) (float64, error)
}

var (
	servers  = []string{"mongod", "sluice"}
	manySize = []int64{10_000, 100_000, 1_000_000, 3_000_000}
)

// growths are the plots.
func growths() []growth {
	rate := func(clients int, t func(p *peer, size int64) task) func(context.Context, *peer, round, int64) (float64, error) {
		return func(ctx context.Context, p *peer, r round, size int64) (float64, error) {
			count := clients
			if count == 0 {
				count = int(size)
			}
			m, err := p.run(ctx, count, r.duration, r.seed, t(p, size))
			return m.sample()["rate"], err
		}
	}
	inserting := func(p *peer, _ int64) task { return p.inserting(growthCollection, 1) }
	clients := []int64{1, 4, 16, 64, 256, 1000}
	return []growth{
		{
			name: "documents-find", about: "find by _id, 8 clients", xLabel: "documents in the collection", yLabel: "finds/s",
			sizes: manySize, peers: servers, prepare: growTo,
			measure: rate(crudClients, func(_ *peer, size int64) task { return finding(growthCollection, size) }),
		},
		{
			name: "documents-inc", about: "$inc by _id, 8 clients", xLabel: "documents in the collection", yLabel: "updates/s",
			sizes: manySize, peers: servers, prepare: growTo,
			measure: rate(crudClients, func(_ *peer, size int64) task { return incrementing(growthCollection, size) }),
		},
		{
			name: "oplog", about: "first event of a stream that is resumed behind many, through a selective filter", xLabel: "events behind", yLabel: "ms",
			sizes: []int64{10_000, 30_000, 100_000, 300_000, 1_000_000}, peers: servers, measure: resumeBehind,
		},
		{
			name: "streams", about: "8 writers flat out, all streams on their collection", xLabel: "streams open", yLabel: "deliveries/s",
			sizes: []int64{1, 10, 100, 1000}, peers: servers, measure: deliveries,
		},
		{
			name: "streams-embedded", about: "the same within one process", xLabel: "streams open", yLabel: "deliveries/s",
			sizes: []int64{1, 10, 100, 1000, 10_000}, peers: []string{"embedded"}, measure: deliveries,
		},
		{
			name: "indexes", about: "inserts, 8 clients", xLabel: "indexes beside that of _id", yLabel: "docs/s",
			sizes: []int64{0, 1, 2, 4, 7, 10}, peers: servers, prepare: indexBy, measure: rate(crudClients, inserting),
		},
		{
			name: "connections-find", about: "find by _id among 10,000 documents", xLabel: "clients at once", yLabel: "finds/s",
			sizes: clients, peers: servers,
			prepare: func(ctx context.Context, p *peer, _ int64) error { return growTo(ctx, p, findDocuments) },
			measure: rate(0, func(*peer, int64) task { return finding(growthCollection, findDocuments) }),
		},
		{
			name: "connections-insert", about: "inserts", xLabel: "clients at once", yLabel: "docs/s",
			sizes: clients, peers: servers, measure: rate(0, inserting),
		},
	}
}

func deliveries(ctx context.Context, p *peer, r round, size int64) (float64, error) {
	const long = 1000
	if size > long { // what is written in a second would take minutes to deliver
		r.duration = r.duration * long / time.Duration(size)
	}
	s, err := insertLoad(int(size)).measure(ctx, p, r)
	return s["deliveries"], err
}

func resumeBehind(ctx context.Context, p *peer, r round, size int64) (float64, error) {
	token, err := fallBehind(ctx, p, size)
	if err != nil {
		return 0, err
	}
	var took []time.Duration
	for begun := time.Now(); len(took) == 0 || time.Since(begun) < r.duration; { // one may take longer than a sample
		start := time.Now()
		if err := firstEvent(ctx, p, token); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
	}
	return median(milliseconds(took)), nil
}

// growTo adds documents until there are size of them.
func growTo(ctx context.Context, p *peer, size int64) error {
	collection := p.collection(growthCollection)
	id, err := collection.EstimatedDocumentCount(ctx)
	if err != nil {
		return err
	}
	return addDocuments(ctx, collection, id, size, newDocument)
}

// indexBy adds indexes until there are size of them beside that of _id.
func indexBy(ctx context.Context, p *peer, size int64) error {
	keys := []bson.D{
		{{Key: "v", Value: 1}},
		{{Key: "sent", Value: 1}},
		{{Key: "pad", Value: 1}},
		{{Key: "v", Value: 1}, {Key: "sent", Value: 1}},
		{{Key: "sent", Value: 1}, {Key: "v", Value: 1}},
		{{Key: "v", Value: 1}, {Key: "_id", Value: 1}},
		{{Key: "sent", Value: 1}, {Key: "_id", Value: 1}},
		{{Key: "v", Value: -1}, {Key: "sent", Value: 1}},
		{{Key: "sent", Value: -1}, {Key: "v", Value: 1}},
		{{Key: "v", Value: 1}, {Key: "sent", Value: 1}, {Key: "_id", Value: 1}},
	}
	for _, key := range keys[:size] {
		if _, err := p.collection(growthCollection).Indexes().CreateOne(ctx, mongo.IndexModel{Keys: key}); err != nil {
			return err
		}
	}
	return nil
}

// plot measures the growths whose names match the patterns, in turns for each size, and writes a plot of each into a folder.
func (s settings) plot(ctx context.Context, folder string, progress io.Writer) error {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // documentation is for everybody
		return err
	}
	for _, g := range growths() {
		if ok, err := matches(s.patterns, g.name); err != nil {
			return err
		} else if !ok {
			continue
		}
		drawn, err := s.grow(ctx, g, progress)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, g.name+".svg"), drawn.svg(), 0o644); err != nil { //nolint:gosec // as above
			return err
		}
	}
	return nil
}

// grow measures one growth on servers of its own.
func (s settings) grow(ctx context.Context, g growth, progress io.Writer) (drawn chart, err error) {
	drawn = chart{title: g.name + ": " + g.about, xLabel: g.xLabel, yLabel: g.yLabel, subtitle: s.newReport().heading()}
	var peers []*peer
	defer func() {
		for _, p := range peers {
			if closeErr := p.close(ctx); err == nil {
				err = closeErr
			}
		}
	}()
	for _, spec := range g.peers {
		p, err := s.launcher.launch(ctx, spec)
		if err != nil {
			return drawn, err
		}
		peers = append(peers, p)
		drawn.lines = append(drawn.lines, line{name: p.name})
	}
	for _, size := range g.sizes {
		values := make([][]float64, len(peers))
		for n := range s.rounds {
			for i := range peers {
				if n%2 == 1 {
					i = len(peers) - 1 - i
				}
				value, err := s.at(ctx, g, peers[i], n, size)
				if err != nil {
					return drawn, fmt.Errorf("%s, %d: %w", peers[i].name, size, err)
				}
				values[i] = append(values[i], value)
				fmt.Fprintf(progress, "%s, %d %s, %s: %s %s\n", g.name, size, g.xLabel, peers[i].name, figure(value), g.yLabel)
			}
		}
		for i := range peers {
			drawn.lines[i].points = append(drawn.lines[i].points, point{float64(size), median(values[i])})
		}
	}
	return drawn, nil
}

// at takes one sample of a growth at one size.
func (s settings) at(ctx context.Context, g growth, p *peer, number int, size int64) (float64, error) {
	if g.prepare != nil {
		if err := g.prepare(ctx, p, size); err != nil {
			return 0, err
		}
	}
	return g.measure(ctx, p, round{duration: time.Duration(s.seconds * float64(time.Second)), seed: s.seed + uint64(number)}, size)
}
