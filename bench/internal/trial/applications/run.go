package applications

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// Parts are what Run can do with each application, in this order.
var Parts = []string{"replay", "tests", "stop", "measure", "cold"}

// A Config says what to try.
type Config struct {
	Apps     []string      // names, or files as in list; empty means all of the list
	Parts    []string      // some of [Parts]; empty means all but cold
	Rounds   int           // of measure; zero means 5
	Duration time.Duration // of each load in measure; zero means 2 seconds
	Recycle  string        // the program recycle; empty means to build it from this project
	Dir      string        // for modules, programs and their files; empty means a temporary folder
	Out      string        // the folder for applications.json and applications.md; empty means none
}

func (c *Config) setDefaults() error {
	if c.Rounds == 0 {
		c.Rounds = 5
	}
	if c.Rounds < 0 {
		return fmt.Errorf("applications: Rounds is %d, want a positive number", c.Rounds)
	}
	if c.Duration == 0 {
		c.Duration = 2 * time.Second
	}
	if c.Duration < 0 {
		return fmt.Errorf("applications: Duration is %v, want a positive one", c.Duration)
	}
	if len(c.Parts) == 0 {
		c.Parts = Parts[:len(Parts)-1]
	}
	for _, part := range c.Parts {
		if !slices.Contains(Parts, part) {
			return fmt.Errorf("applications: there is no part %q, want some of %s", part, strings.Join(Parts, ","))
		}
	}
	return nil
}

// ErrFailed is wrapped by the error of Run if an application did not build or start, or if the
// recycled program differs from the plain one.
var ErrFailed = errors.New("applications: a recycled program differs")

// A trial is one call of Run.
type trial struct {
	config   Config
	progress *record.Progress
}

// A subject is an application in a trial.
type subject struct {
	*Application
	t   *trial
	dir string
}

func (s *subject) sourceDir() string     { return filepath.Join(s.dir, "source") }
func (s *subject) program(k kind) string { return filepath.Join(s.dir, k.String()) }

func (s *subject) say(format string, args ...any) {
	s.t.progress.Say("%s: %s", s.Name, fmt.Sprintf(format, args...))
}

// A Result is what was found about an application. Parts that were not asked for are nil.
type Result struct {
	Name, About, Module, Package, Framework string
	Traits                                  []string      `json:",omitempty"`
	Note                                    string        `json:",omitempty"`
	Error                                   string        `json:",omitempty"` // why something is missing
	Build                                   *BuildTime    `json:",omitempty"`
	Replay                                  *Replay       `json:",omitempty"`
	Tests                                   *Tests        `json:",omitempty"`
	Stop                                    *[kinds]*Stop `json:",omitempty"`
	Exits                                   bool          `json:",omitempty"` // see Application
	Measured                                *Measurement  `json:",omitempty"`
	Took                                    time.Duration // all of it, in nanoseconds
}

// Run tries the applications one after the other, and writes what it finds. An application that
// fails does not keep it from trying the others.
func Run(ctx context.Context, c Config, p *record.Progress, w io.Writer) error {
	if runtime.GOOS != "linux" {
		return errors.New("applications: this trial needs Linux")
	}
	if err := c.setDefaults(); err != nil {
		return err
	}
	apps, err := choose(c.Apps)
	if err != nil {
		return err
	}
	if c.Dir == "" {
		if c.Dir, err = os.MkdirTemp("", "applications"); err != nil {
			return err
		}
		defer os.RemoveAll(c.Dir)
	} else if err := os.MkdirAll(c.Dir, 0o777); err != nil {
		return err
	}
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return err
	}
	t := &trial{config: c, progress: p}
	if err := t.buildRecycle(ctx); err != nil {
		return fmt.Errorf("applications: recycle: %w", err)
	}
	found := newFindings()
	report := &harness.Report{W: w, Wrong: ErrFailed}
	for _, a := range apps {
		begin := time.Now()
		r := t.try(ctx, a)
		r.Took = time.Since(begin)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		found.Results = append(found.Results, r)
		r.report(report)
		if c.Out != "" {
			report.Fail(found.write(c.Out))
		}
	}
	p.Done()
	found.table(report)
	return report.Err()
}

// try does what is asked for with one application. It deletes what it has downloaded, unless a
// folder is configured.
func (t *trial) try(ctx context.Context, a *Application) *Result {
	r := &Result{Name: a.Name, About: a.About, Module: a.Module, Package: a.Package, Framework: a.Framework, Traits: a.Traits, Note: a.Note, Exits: a.Exits}
	s := &subject{Application: a, t: t, dir: filepath.Join(t.config.Dir, a.Name)}
	defer os.RemoveAll(s.dir)
	s.say("download")
	err := a.fetch(ctx, s.sourceDir())
	if err == nil {
		err = s.build(ctx)
	}
	if err == nil {
		err = s.parts(ctx, r)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// parts carries out the parts. What is found before an error stays in r.
func (s *subject) parts(ctx context.Context, r *Result) error {
	var errs []error
	for _, part := range Parts {
		if !slices.Contains(s.t.config.Parts, part) {
			continue
		}
		var err error
		switch part {
		case "replay":
			r.Replay, err = s.replay(ctx)
		case "tests":
			r.Tests, err = s.test(ctx)
		case "stop":
			var both [kinds]*Stop
			for k := range kind(kinds) {
				if both[k], err = s.stopUnderLoad(ctx, k); err != nil {
					break
				}
			}
			if err == nil {
				r.Stop = &both
			}
		case "measure":
			r.Measured, err = s.measure(ctx)
		case "cold":
			r.Build, err = s.measureBuild(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part, err))
		}
	}
	return errors.Join(errs...)
}
