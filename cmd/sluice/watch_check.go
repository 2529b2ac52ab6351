package main

import (
	"fmt"
	"io"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
)

// maxPipeline bounds what is read of a pipeline, in bytes: a message to the server is no larger.
const maxPipeline = 48 << 20

// check finds out whether the flags make sense together, and turns them into the stream's options and pipeline.
func (c *watchCommand) check(p *process) (*sluice.Options, []bson.Raw, error) {
	if err := c.checkSource(p); err != nil {
		return nil, nil, err
	}
	if err := c.checkStart(); err != nil {
		return nil, nil, err
	}
	switch {
	case c.Coll != "" && c.DB == "":
		return nil, nil, misusef("--coll needs --db")
	case c.BatchSize < 0:
		return nil, nil, misusef("--batch-size: %d is negative", c.BatchSize)
	case c.MaxAwaitTime < 0:
		return nil, nil, misusef("--max-await-time: %s is negative", c.MaxAwaitTime)
	}
	stages, err := c.stages(p)
	if err != nil {
		return nil, nil, err
	}
	if c.FullDocumentBeforeChange == "off" { // not to be sent to servers that do not know it
		c.FullDocumentBeforeChange = string(sluice.BeforeOff)
	}
	return &sluice.Options{
		FullDocument:             sluice.FullDocument(c.FullDocument),
		FullDocumentBeforeChange: sluice.FullDocumentBeforeChange(c.FullDocumentBeforeChange),
		ShowExpandedEvents:       c.ShowExpandedEvents,
		ResumeAfter:              c.ResumeAfter.Token,
		StartAfter:               c.StartAfter.Token,
		StartAtOperationTime:     c.StartAtOperationTime.Timestamp,
		BatchSize:                c.BatchSize,
		MaxAwaitTime:             c.MaxAwaitTime,
		Collation:                c.Collation.Collation,
		Comment:                  c.Comment.value,
		SplitLargeEvents:         true,
	}, stages, nil
}

// checkSource decides between a server and an engine. What is typed counts more than what the environment says.
func (c *watchCommand) checkSource(p *process) error {
	var typed []string
	for _, name := range []string{"demo", "dir", "listen"} {
		if p.typed[name] {
			typed = append(typed, "--"+name)
		}
	}
	if c.URI == "" && len(typed) == 0 {
		c.URI = p.getenv(variable("uri"))
	} else if c.URI != "" && len(typed) > 0 {
		return misusef("%s: for the embedded engine only, which a URI leaves out", strings.Join(typed, ", "))
	}
	if c.URI != "" {
		c.Demo, c.Dir, c.Listen = false, "", ""
	}
	if c.Listen != "" {
		return checkAddress(c.Listen)
	}
	return nil
}

func (c *watchCommand) checkStart() error {
	var given []string
	for _, start := range []struct {
		flag string
		set  bool
	}{
		{"--resume-file", c.ResumeFile != ""},
		{"--resume-after", !c.ResumeAfter.IsZero()},
		{"--start-after", !c.StartAfter.IsZero()},
		{"--start-at-operation-time", !c.StartAtOperationTime.IsZero()},
	} {
		if start.set {
			given = append(given, start.flag)
		}
	}
	if len(given) > 1 {
		return misusef("%s: only one of them can say where to start", strings.Join(given, ", "))
	}
	return nil
}

func (c *watchCommand) stages(p *process) ([]bson.Raw, error) {
	text := c.Pipeline
	switch text {
	case "":
		return nil, nil
	case "-":
		read, err := io.ReadAll(io.LimitReader(p.stdin, maxPipeline))
		if err != nil {
			return nil, fmt.Errorf("read the pipeline from standard input: %w", err)
		}
		text = string(read)
	}
	stages, err := parsePipeline(text)
	if err != nil {
		return nil, misusef("--pipeline: %v", err)
	}
	return stages, nil
}
