package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// chart is a plot of lines over a logarithmic axis, with a logarithmic one upwards.
type chart struct {
	title, subtitle string
	xLabel, yLabel  string
	lines           []line
}

type line struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

// The picture's measures, in pixels.
const (
	chartWidth, chartHeight        = 760, 420
	marginLeft, marginRight        = 90, 130
	marginTop, marginBottom        = 64, 62
	plotWidth                      = chartWidth - marginLeft - marginRight
	plotHeight                     = chartHeight - marginTop - marginBottom
	tickPixels, dotPixels, lineGap = 5, 3.5, 16
)

// lineColours tell lines apart for most kinds of colour vision.
var lineColours = []string{"#b35900", "#005a9c", "#5b8a00", "#7b3294"}

// svg draws the chart.
func (c chart) svg() []byte {
	var out bytes.Buffer
	x, y := c.axes()
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	text := func(px, py float64, anchor, more, s string) {
		fmt.Fprintf(&out, `<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>`+"\n", px, py, anchor, more, html.EscapeString(s))
	}
	text(marginLeft, 24, "start", ` font-size="15" font-weight="bold"`, c.title)
	text(marginLeft, 44, "start", ` fill="#555"`, c.subtitle)
	text(marginLeft+plotWidth/2, chartHeight-16, "middle", "", c.xLabel)
	text(20, marginTop+plotHeight/2, "middle", fmt.Sprintf(` transform="rotate(-90 20 %d)"`, marginTop+plotHeight/2), c.yLabel)
	for _, v := range x.ticks() {
		px := x.at(v)
		fmt.Fprintf(&out, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/>`+"\n", px, marginTop, px, marginTop+plotHeight+tickPixels)
		text(px, marginTop+plotHeight+lineGap+4, "middle", "", short(v))
	}
	for _, v := range y.ticks() {
		py := y.at(v)
		fmt.Fprintf(&out, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>`+"\n", marginLeft-tickPixels, py, marginLeft+plotWidth, py)
		text(marginLeft-tickPixels-4, py+4, "end", "", short(v))
	}
	for i, l := range c.lines {
		colour := lineColours[i%len(lineColours)]
		fmt.Fprintf(&out, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, colour)
		for _, p := range l.points {
			fmt.Fprintf(&out, "%.1f,%.1f ", x.at(p.x), y.at(p.y))
		}
		fmt.Fprintln(&out, `"/>`)
		for _, p := range l.points {
			fmt.Fprintf(&out, `<circle cx="%.1f" cy="%.1f" r="%g" fill="%s"><title>%s: %s</title></circle>`+"\n", x.at(p.x), y.at(p.y), dotPixels, colour, short(p.x), figure(p.y))
		}
		if n := len(l.points); n > 0 {
			last := l.points[n-1]
			text(x.at(last.x)+8, y.at(last.y)+4, "start", fmt.Sprintf(` fill="%s"`, colour), l.name+", "+figure(last.y))
		}
	}
	fmt.Fprintln(&out, "</svg>")
	return out.Bytes()
}

// axis maps values to pixels by their logarithms. Zero has none and is drawn where one tenth of the least value would be.
type axis struct {
	least, low, high float64 // the least positive value; the ends, as logarithms
	from, to         float64 // pixels of the ends
}

func (c chart) axes() (x, y axis) {
	x, y = axis{from: marginLeft, to: marginLeft + plotWidth}, axis{from: marginTop + plotHeight, to: marginTop}
	var xs, ys []float64
	for _, l := range c.lines {
		for _, p := range l.points {
			xs, ys = append(xs, p.x), append(ys, p.y)
		}
	}
	x.span(xs)
	y.span(ys)
	// Upwards whole decades, so that the eye can compare plots.
	y.low, y.high = math.Floor(y.low), math.Ceil(y.high)
	return x, y
}

func (a *axis) span(values []float64) {
	a.least = math.Inf(1)
	for _, v := range values {
		if v > 0 {
			a.least = min(a.least, v)
		}
	}
	if math.IsInf(a.least, 1) {
		a.least = 1
	}
	a.low, a.high = math.Inf(1), math.Inf(-1)
	for _, v := range append(values, a.least) {
		a.low, a.high = min(a.low, a.log(v)), max(a.high, a.log(v))
	}
	if a.high == a.low {
		a.high++
	}
}

func (a axis) log(v float64) float64 {
	if !(v > 0) {
		return math.Log10(a.least) - 1
	}
	return math.Log10(v)
}

func (a axis) at(v float64) float64 { return a.from + (a.log(v)-a.low)/(a.high-a.low)*(a.to-a.from) }

// ticks are the powers of ten on the axis, and more where these are few; zero too where a line begins there.
func (a axis) ticks() []float64 {
	steps := []float64{1}
	if a.high-a.low < 2.5 {
		steps = []float64{1, 2, 5}
	}
	var values []float64
	low := a.low
	if least := math.Log10(a.least); a.low < least && a.low == a.log(0) {
		values, low = append(values, 0), least
	}
	const tolerance = 1e-9
	for decade := math.Floor(low); decade <= a.high; decade++ {
		for _, step := range steps {
			v := step * math.Pow(10, decade)
			if l := math.Log10(v); l >= low-tolerance && l <= a.high+tolerance {
				values = append(values, v)
			}
		}
	}
	return values
}

// short prints a number for an axis.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk", v/1e3)
	default:
		return fmt.Sprintf("%g", v)
	}
}
