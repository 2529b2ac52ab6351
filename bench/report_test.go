package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestReportComparesMediansWithTheFirstPeer(t *testing.T) {
	t.Parallel()
	w := workload{name: "w", rows: []row{
		{"rate", "ops/s", higher, goal{advantage: 4}},
		{"p50", "ms", lower, goal{limit: 0.5}},
		{"cpu", "us", lower, goal{}},
	}}
	r := report{Peers: []string{"base", "ours"}, Rounds: 3}
	r.add(w, map[string][]sample{
		"base": {{"rate": 100, "p50": 2}, {"rate": 90, "p50": 4}, {"rate": 300, "p50": 3}},
		"ours": {{"rate": 500, "p50": 0.6}, {"rate": 420, "p50": 0.3}, {"rate": 10, "p50": 0.4}},
	})
	rate, p50, cpu := r.Rows[0], r.Rows[1], r.Rows[2]
	if rate.Median["base"] != 100 || rate.Median["ours"] != 420 || rate.Ratio["ours"] != 4.2 || !*rate.Met || rate.Goal != "4x" {
		t.Errorf("rate: %+v", rate)
	}
	if p50.Median["ours"] != 0.4 || math.Abs(float64(p50.Ratio["ours"])-7.5) > 1e-9 || !*p50.Met || p50.Goal != "<= 0.5" {
		t.Errorf("p50: %+v", p50)
	}
	if !math.IsNaN(float64(cpu.Ratio["ours"])) || cpu.Met != nil {
		t.Errorf("cpu, which nobody measured: %+v", cpu)
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `"median":{"base":null,"ours":null}`) {
		t.Errorf("JSON: %v\n%s", err, text)
	}
	var table strings.Builder
	if err := r.table(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4.20x", "7.50x", "met", "200%"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	var markdown strings.Builder
	if err := r.markdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| base | ours | Ratio | Goal |", "| rate, ops/s | 100 | 420 | 4.20x | 4x met |"} {
		if !strings.Contains(markdown.String(), want) {
			t.Errorf("the document lacks %q:\n%s", want, markdown.String())
		}
	}
}

func TestAGoalThatFloorMissesIsOutOfReach(t *testing.T) {
	t.Parallel()
	w := workload{name: "w", rows: []row{{"rate", "ops/s", higher, goal{advantage: 4}}}}
	for _, c := range []struct {
		ours, floor float64
		verdict     string
	}{
		{300, 390, "out of reach"},
		{300, 410, "missed"},
		{400, 390, "met"},
	} {
		r := report{Peers: []string{"base", "ours", floorName}}
		r.add(w, map[string][]sample{"base": {{"rate": 100}}, "ours": {{"rate": c.ours}}, floorName: {{"rate": c.floor}}})
		if got := r.Rows[0].verdict(); got != c.verdict {
			t.Errorf("%v where floor does %v is %q, want %q", c.ours, c.floor, got, c.verdict)
		}
		r = report{Peers: []string{"base", "ours", floorName}}
		r.add(w, map[string][]sample{"base": {{"rate": 100}}, "ours": {{"rate": c.ours}}})
		if got := r.Rows[0].verdict(); got == "out of reach" {
			t.Errorf("%v where floor takes no part is %q", c.ours, got)
		}
	}
}

func TestGoals(t *testing.T) {
	t.Parallel()
	up, down := row{better: higher}, row{better: lower}
	cases := []struct {
		row              row
		goal             goal
		value, advantage float64
		want             bool
	}{
		{up, goal{advantage: 4}, 1, 4, true},
		{up, goal{advantage: 4}, 1, 3.9, false},
		{up, goal{advantage: 4}, 1, math.NaN(), false},
		{up, goal{limit: 0.95}, 0.96, math.NaN(), true},
		{up, goal{limit: 0.95}, 0.94, math.NaN(), false},
		{down, goal{limit: 1}, 0.9, 0.1, true},
		{down, goal{limit: 1}, 1.1, 9, false},
		{down, goal{limit: 1}, math.NaN(), 9, false},
		{down, goal{advantage: 2, limit: 1}, 0.9, 1.5, false},
	}
	for _, c := range cases {
		if got := c.goal.met(c.row, c.value, c.advantage); got != c.want {
			t.Errorf("%+v with value %v, advantage %v: %v, want %v", c.goal, c.value, c.advantage, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	all := workloads()
	chosen, unused, err := choose(all, []string{"live-*", "insert-1", "nothing"})
	if err != nil || len(chosen) != 5 || chosen[0].name != "insert-1" || len(unused) != 1 || unused[0] != "nothing" {
		t.Errorf("chose %d workloads, unused %v, %v", len(chosen), unused, err)
	}
	if _, _, err := choose(all, []string{"["}); err == nil {
		t.Error("a malformed pattern is no error")
	}
	seen := map[string]bool{}
	for _, w := range all {
		if seen[w.name] || w.measure == nil || len(w.rows) == 0 {
			t.Errorf("workload %q: twice, or without rows", w.name)
		}
		seen[w.name] = true
	}
}
