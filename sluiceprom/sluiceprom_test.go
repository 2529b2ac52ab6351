package sluiceprom

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/enginetest"
)

// gather returns what a scrape gives: name{labels} value.
func gather(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			value := metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			var labels []string
			for _, l := range metric.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			lines = append(lines, fmt.Sprintf("%s{%s} %v", family.GetName(), strings.Join(labels, ","), value))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func registered(t *testing.T, metrics ...*Metrics) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewPedanticRegistry() // which compares what is described with what is collected
	for _, m := range metrics {
		if err := registry.Register(m); err != nil {
			t.Fatal(err)
		}
	}
	return registry
}

func TestValues(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	m := New(prometheus.Labels{"stream": "orders"})
	m.now = func() time.Time { return now }
	registry := registered(t, m, New(prometheus.Labels{"stream": "users"}))
	expect := func(want ...string) {
		t.Helper()
		if got := gather(t, registry); got != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	}
	expect("sluice_resumes_total{stream=orders} 0", "sluice_resumes_total{stream=users} 0")

	m.Observe(sluice.Health{Position: bson.Timestamp{T: 990, I: 3}, Lag: 4 * time.Second, Resumes: 2, Buffered: 7})
	now = time.Unix(1030, 500_000_000) // a scrape some time later: the age has grown, the rest has not
	expect(
		"sluice_buffered_events{stream=orders} 7",
		"sluice_lag_seconds{stream=orders} 4",
		"sluice_last_reply_timestamp_seconds{stream=orders} 1000",
		"sluice_position_timestamp_seconds{stream=orders} 990",
		"sluice_resumes_total{stream=orders} 2",
		"sluice_resumes_total{stream=users} 0",
		"sluice_token_age_seconds{stream=orders} 40.5",
		"sluice_up{stream=orders} 1",
	)

	m.Observe(sluice.Health{Resumes: 1, LastError: errors.New("down")}) // another stream: the counter never goes back
	expect(
		"sluice_buffered_events{stream=orders} 0",
		"sluice_last_reply_timestamp_seconds{stream=orders} 1030.5",
		"sluice_resumes_total{stream=orders} 3",
		"sluice_resumes_total{stream=users} 0",
		"sluice_up{stream=orders} 0",
	)
}

func TestSameLabelsTwice(t *testing.T) {
	t.Parallel()
	registry := registered(t, New(nil))
	if err := registry.Register(New(nil)); err == nil {
		t.Error("two streams cannot be told apart")
	}
}

func TestOfAStream(t *testing.T) {
	t.Parallel()
	orders := enginetest.Start(t).Database(t).Collection("orders")
	m := New(nil)
	stream, err := sluice.Watch[bson.Raw](t.Context(), orders, nil, &sluice.Options{Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := orders.InsertOne(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := stream.TryNext(t.Context()); err != nil { // so that the first reply has been observed
		t.Fatal(err)
	}
	got := gather(t, registered(t, m))
	if !strings.Contains(got, "sluice_up{} 1") || !strings.Contains(got, "sluice_position_timestamp_seconds{} ") {
		t.Errorf("got\n%s", got)
	}
}
