package main

import (
	"math"
	"slices"
	"time"
)

// median is the middle value, or the mean of the two middle ones; NaN without values. It leaves values as they are.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the two nearest ranks; NaN without values. It leaves values as they are.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := q * float64(len(sorted)-1)
	low := int(rank)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(rank-float64(low))
}

// spread is how far the values lie apart: the largest distance from the median, as a part of it.
func spread(values []float64) float64 {
	if len(values) < 2 {
		return 0
	}
	m := median(values)
	if m == 0 {
		return 0
	}
	return max(slices.Max(values)-m, m-slices.Min(values)) / m
}

// direction says which of two values of a metric is the better one.
type direction int

const (
	higher direction = iota
	lower
)

// advantage is how many times better value is than base: 2 is twice the rate, or half the time. NaN when that cannot be said.
func (d direction) advantage(value, base float64) float64 {
	if d == lower {
		value, base = base, value
	}
	if base == 0 || math.IsNaN(base) || math.IsNaN(value) {
		return math.NaN()
	}
	return value / base
}

// milliseconds are the latencies as numbers, for quantile.
func milliseconds(latencies []time.Duration) []float64 {
	values := make([]float64, len(latencies))
	for i, l := range latencies {
		values[i] = float64(l) / float64(time.Millisecond)
	}
	return values
}
