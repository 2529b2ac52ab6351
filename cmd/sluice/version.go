package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCommand is `sluice version`.
type versionCommand struct{}

// Run prints what the program was built from.
func (*versionCommand) Run(p *process) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("the program carries no build information: build it with Go modules")
	}
	if _, err := fmt.Fprint(p.stdout, describeBuild(info)); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// describeBuild tells the version, the commit if it is known, and the Go version.
func describeBuild(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	text := fmt.Sprintf("%s %s\n", programName, info.Main.Version)
	if commit := settings["vcs.revision"]; commit != "" {
		text += "commit " + commit
		if at := settings["vcs.time"]; at != "" {
			text += " of " + at
		}
		if settings["vcs.modified"] == "true" {
			text += ", modified"
		}
		text += "\n"
	}
	return text + fmt.Sprintf("%s %s/%s\n", info.GoVersion, runtime.GOOS, runtime.GOARCH)
}
