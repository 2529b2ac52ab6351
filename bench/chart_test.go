package main

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestChartIsWellFormedAndComplete(t *testing.T) {
	t.Parallel()
	c := chart{title: "a < b & c", xLabel: "size", yLabel: "cost", lines: []line{
		{name: "one", points: []point{{10, 5}, {1000, 50}}},
		{name: "two", points: []point{{10, 7}, {1000, 7}}},
	}}
	picture := string(c.svg())
	decoder := xml.NewDecoder(strings.NewReader(picture))
	circles := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 4 || !strings.Contains(picture, "a &lt; b &amp; c") || !strings.Contains(picture, "two, 7.00") {
		t.Errorf("%d points\n%s", circles, picture)
	}
}

func TestAxes(t *testing.T) {
	t.Parallel()
	x, y := chart{lines: []line{{points: []point{{0, 3}, {1, 30}, {10, 300}}}}}.axes()
	if !slices.Equal(x.ticks(), []float64{0, 1, 2, 5, 10}) {
		t.Errorf("an axis from zero: %v", x.ticks())
	}
	if !slices.Equal(y.ticks(), []float64{1, 10, 100, 1000}) {
		t.Errorf("an axis of three decades: %v", y.ticks())
	}
	if x.at(0) != marginLeft || x.at(10) != marginLeft+plotWidth || y.at(1000) != marginTop {
		t.Errorf("ends at %v, %v, %v", x.at(0), x.at(10), y.at(1000))
	}
}
