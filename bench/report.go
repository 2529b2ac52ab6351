package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// report is everything that a run found out; its JSON form is the bench's machine-readable output.
type report struct {
	Time    time.Time   `json:"time"`
	System  string      `json:"system"`
	CPUs    int         `json:"cpus"`
	Go      string      `json:"go"`
	Seed    uint64      `json:"seed"`
	Seconds float64     `json:"seconds"` // of one sample
	Rounds  int         `json:"rounds"`
	Peers   []string    `json:"peers"` // the first is the base of all ratios
	Rows    []reportRow `json:"rows"`
}

// reportRow is one metric of one workload.
type reportRow struct {
	Workload string             `json:"workload"`
	About    string             `json:"about"`
	Metric   string             `json:"metric"`
	Unit     string             `json:"unit"`
	Better   string             `json:"better"`
	Samples  map[string]numbers `json:"samples"` // by peer, in the order of rounds
	Median   map[string]number  `json:"median"`
	Ratio    map[string]number  `json:"ratio"` // how many times better than the base
	Goal     string             `json:"goal,omitempty"`
	Met      *bool              `json:"met,omitempty"`        // by the first peer that is not the base
	Beyond   bool               `json:"outOfReach,omitempty"` // floor misses the goal too
}

// number is a float64 whose JSON form is null when it is not a number: where a metric could not be measured.
type number float64

type numbers []number

// MarshalJSON writes null for what JSON has no number for.
func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// add makes a workload's rows from the samples that each peer gave.
func (r *report) add(w workload, samples map[string][]sample) {
	base := r.Peers[0]
	for _, line := range w.rows {
		row := reportRow{
			Workload: w.name, About: w.about, Metric: line.metric, Unit: line.unit, Better: [...]string{higher: "higher", lower: "lower"}[line.better],
			Samples: map[string]numbers{}, Median: map[string]number{}, Ratio: map[string]number{},
		}
		medians := map[string]float64{}
		for _, name := range r.Peers {
			var values []float64
			for _, s := range samples[name] {
				if value, ok := s[line.metric]; ok {
					values = append(values, value)
					row.Samples[name] = append(row.Samples[name], number(value))
				}
			}
			medians[name] = median(values)
			row.Median[name] = number(medians[name])
		}
		for _, name := range r.Peers[1:] {
			row.Ratio[name] = number(line.better.advantage(medians[name], medians[base]))
		}
		if len(r.Peers) > 1 && line.goal.stated() {
			first := r.Peers[1]
			met := line.goal.met(line, medians[first], float64(row.Ratio[first]))
			row.Met, row.Goal = &met, line.goal.describe(line)
			if _, measured := row.Samples[floorName]; measured && !met {
				row.Beyond = !line.goal.met(line, medians[floorName], float64(row.Ratio[floorName]))
			}
		}
		r.Rows = append(r.Rows, row)
	}
}

// describe states a goal as the table shows it.
func (g goal) describe(r row) string {
	var parts []string
	if g.advantage != 0 {
		parts = append(parts, fmt.Sprintf("%gx", g.advantage))
	}
	if g.limit != 0 {
		parts = append(parts, map[direction]string{higher: ">= ", lower: "<= "}[r.better]+fmt.Sprint(g.limit))
	}
	return strings.Join(parts, ", ")
}

// verdict says whether the goal was met; "out of reach" is one that floor misses too.
func (r reportRow) verdict() string {
	switch {
	case r.Met == nil:
		return ""
	case *r.Met:
		return "met"
	case r.Beyond:
		return "out of reach"
	}
	return "missed"
}

// heading says where, when and how the figures were made.
func (r *report) heading() string {
	return fmt.Sprintf("%s, %d CPUs, %s, %s; seed %d, %d rounds of %g s, medians", r.Time.Format("2006-01-02"), r.CPUs, r.System, r.Go, r.Seed, r.Rounds, r.Seconds)
}

// table prints the report for people.
func (r *report) table(out io.Writer) error {
	fmt.Fprintln(out, r.heading())
	if len(r.Peers) > 1 {
		fmt.Fprintf(out, "Ratios: how many times better than %s (2x is twice the rate, or half the time). Spread: the farthest round from the median.\n", r.Peers[0])
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	header := []string{"workload", "metric"}
	for i, name := range r.Peers {
		header = append(header, name, "spread")
		if i > 0 {
			header = append(header, "ratio")
		}
	}
	fmt.Fprintln(w, strings.Join(append(header, "goal", ""), "\t")+"\t")
	for _, row := range r.Rows {
		cells := []string{row.Workload, row.Metric + ", " + row.Unit}
		for i, name := range r.Peers {
			values := make([]float64, len(row.Samples[name]))
			for j, v := range row.Samples[name] {
				values[j] = float64(v)
			}
			cells = append(cells, figure(float64(row.Median[name])), fmt.Sprintf("%.0f%%", 100*spread(values)))
			if i > 0 {
				cells = append(cells, ratio(float64(row.Ratio[name])))
			}
		}
		verdict := row.verdict()
		fmt.Fprintln(w, strings.Join(append(cells, row.Goal, verdict), "\t")+"\t")
	}
	return w.Flush()
}

// markdown prints the metrics that have goals, as a table for documents.
func (r *report) markdown(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n| Workload | Metric |", r.heading())
	columns := 3 // those two and the goal
	for i, name := range r.Peers {
		fmt.Fprintf(&b, " %s |", name)
		if columns++; i > 0 {
			fmt.Fprint(&b, " Ratio |")
			columns++
		}
	}
	fmt.Fprintf(&b, " Goal |\n|%s\n", strings.Repeat(" --- |", columns))
	for _, row := range r.Rows {
		if row.Met == nil {
			continue
		}
		fmt.Fprintf(&b, "| `%s`: %s | %s, %s |", row.Workload, row.About, row.Metric, row.Unit)
		for i, name := range r.Peers {
			fmt.Fprintf(&b, " %s |", figure(float64(row.Median[name])))
			if i > 0 {
				fmt.Fprintf(&b, " %s |", ratio(float64(row.Ratio[name])))
			}
		}
		fmt.Fprintf(&b, " %s %s |\n", row.Goal, row.verdict())
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// figure prints three significant digits, and whole numbers in full.
func figure(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func ratio(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return figure(v) + "x"
}
