// Package sluiceprom shows the health of change streams to Prometheus.
//
// One [Metrics] belongs to one stream. It is what [sluice.Options].Metrics takes, and a collector to be registered:
//
//	metrics := sluiceprom.New(prometheus.Labels{"stream": "orders"})
//	prometheus.MustRegister(metrics)
//	stream, err := sluice.Watch[Order](ctx, orders, nil, &sluice.Options{Metrics: metrics})
//
// Several streams have several of them, told apart by their labels. A stream that replaces a closed one may go on with
// the other's.
//
// The metrics are
//
//	sluice_up                               1; 0 during an outage and after a final error
//	sluice_lag_seconds                      how far the position is behind the server, when the stream last heard of it
//	sluice_position_timestamp_seconds       cluster time of the position
//	sluice_token_age_seconds                now minus that: how far back the oplog has to reach for a resume
//	sluice_last_reply_timestamp_seconds     when the server last answered the stream, or failed to
//	sluice_buffered_events                  events that were received and not handed out, at that time
//	sluice_resumes_total                    cursors that replaced others after a failure
//
// The age is that of the scrape, so it grows while nothing is read: alert on it. An alert on the lag alone is silent when
// a stream is stuck.
package sluiceprom

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicestream/sluice"
)

// Metrics shows one stream's health. It may be used from any goroutine. Its zero value is not usable: see New.
type Metrics struct {
	descs [numMetrics]*prometheus.Desc
	now   func() time.Time

	mu       sync.Mutex
	health   sluice.Health
	observed time.Time // zero before the first reply
	resumes  uint64    // of streams that came before
}

const (
	up = iota
	lag
	position
	tokenAge
	lastReply
	buffered
	resumes
	numMetrics
)

// New makes the metrics of one stream. labels tell it from others that are registered in the same place; nil means none.
// Names of labels that Prometheus does not allow, or values of other streams' metrics, are reported by Register.
func New(labels prometheus.Labels) *Metrics {
	m := &Metrics{now: time.Now}
	for i, d := range [numMetrics]struct{ name, help string }{
		up:        {"sluice_up", "1, or 0 during an outage of the stream and after a final error."},
		lag:       {"sluice_lag_seconds", "The server's time minus that of the stream's position, when the stream last heard of the server."},
		position:  {"sluice_position_timestamp_seconds", "Cluster time of the stream's position."},
		tokenAge:  {"sluice_token_age_seconds", "Now minus the time of the stream's position: how far back the oplog has to reach for a resume."},
		lastReply: {"sluice_last_reply_timestamp_seconds", "When the server last answered the stream, or failed to."},
		buffered:  {"sluice_buffered_events", "Events that were received and not handed out when the server last answered."},
		resumes:   {"sluice_resumes_total", "Cursors that replaced others after a failure."},
	} {
		m.descs[i] = prometheus.NewDesc(d.name, d.help, nil, labels)
	}
	return m
}

// Observe takes note of a stream's health. It is for the stream to call.
func (m *Metrics) Observe(h sluice.Health) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.Resumes < m.health.Resumes { // another stream has taken over
		m.resumes += m.health.Resumes
	}
	m.health, m.observed = h, m.now()
}

// Describe tells Prometheus which metrics there are.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range m.descs {
		to <- d
	}
}

// Collect tells Prometheus the values. Those that are not known yet are left out.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	h, observed, earlier := m.health, m.observed, m.resumes
	m.mu.Unlock()
	gauge := func(i int, value float64) {
		to <- prometheus.MustNewConstMetric(m.descs[i], prometheus.GaugeValue, value)
	}
	to <- prometheus.MustNewConstMetric(m.descs[resumes], prometheus.CounterValue, float64(earlier+h.Resumes))
	if observed.IsZero() {
		return
	}
	alive := 1.0
	if h.LastError != nil {
		alive = 0
	}
	gauge(up, alive)
	gauge(lastReply, seconds(observed))
	gauge(buffered, float64(h.Buffered))
	if h.Position.IsZero() {
		return
	}
	gauge(lag, h.Lag.Seconds())
	gauge(position, float64(h.Position.T))
	gauge(tokenAge, max(seconds(m.now())-float64(h.Position.T), 0))
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
