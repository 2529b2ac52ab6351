package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := runToEnd(t, nil, strings.NewReader(""), "version")
	if code != exitDone || stderr != "" || !strings.HasPrefix(stdout, "sluice ") || !strings.Contains(stdout, runtime.Version()) {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestDescribeBuild(t *testing.T) {
	t.Parallel()
	platform := " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	cases := []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"from a module", debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v0.1.0"}}, "sluice v0.1.0\ngo1.26.0" + platform},
		{"from a working copy", debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123abcd"},
			{Key: "vcs.time", Value: "2026-03-04T12:00:00Z"},
			{Key: "vcs.modified", Value: "true"},
		}}, "sluice (devel)\ncommit 0123abcd of 2026-03-04T12:00:00Z, modified\ngo1.26.0" + platform},
	}
	for _, c := range cases {
		if got := describeBuild(&c.info); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
