package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	cases := []struct {
		values []float64
		q      float64
		want   float64
	}{
		{nil, 0.5, math.NaN()},
		{[]float64{7}, 0.99, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{5, 1, 4, 2, 3}, 0, 1},
		{[]float64{5, 1, 4, 2, 3}, 1, 5},
		{[]float64{0, 100}, 0.99, 99},
	}
	for _, c := range cases {
		before := slices.Clone(c.values)
		got := quantile(c.values, c.q)
		if got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("quantile(%v, %v) = %v, want %v", c.values, c.q, got, c.want)
		}
		if !slices.Equal(before, c.values) {
			t.Errorf("quantile reordered its argument %v to %v", before, c.values)
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{5}, 0}, {[]float64{10, 8, 11}, 0.2}, {[]float64{10, 9, 13}, 0.3}, {[]float64{0, 0}, 0}} {
		if got := spread(c.values); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("spread(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestAdvantageIsAboveOneForTheBetter(t *testing.T) {
	t.Parallel()
	cases := []struct {
		direction   direction
		value, base float64
		want        float64
	}{
		{higher, 800, 100, 8},
		{higher, 50, 100, 0.5},
		{lower, 0.5, 1, 2},
		{lower, 4, 1, 0.25},
		{higher, 1, 0, math.NaN()},
		{lower, 0, 1, math.NaN()},
		{higher, math.NaN(), 1, math.NaN()},
	}
	for _, c := range cases {
		got := c.direction.advantage(c.value, c.base)
		if got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("advantage(%v, %v, %v) = %v, want %v", c.direction, c.value, c.base, got, c.want)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	t.Parallel()
	if got := milliseconds([]time.Duration{time.Second, 1500 * time.Microsecond}); !slices.Equal(got, []float64{1000, 1.5}) {
		t.Errorf("got %v", got)
	}
}
