package applications

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// A kind is how a program is built.
type kind int

const (
	plain    kind = iota // by go
	recycled             // by recycle
	kinds    = 2
)

func (k kind) String() string { return [kinds]string{"plain", "recycled"}[k] }

// tool returns the program with the verbs build and test.
func (t *trial) tool(k kind) string {
	if k == recycled {
		return t.config.Recycle
	}
	return "go"
}

// buildRecycle builds core/cmd/recycle, which must be in the module or workspace of the current
// folder, unless the configuration names the program.
func (t *trial) buildRecycle(ctx context.Context) error {
	if t.config.Recycle != "" {
		_, err := exec.LookPath(t.config.Recycle)
		return err
	}
	t.config.Recycle = filepath.Join(t.config.Dir, "recycle")
	_, err := output(exec.CommandContext(ctx, "go", "build", "-o", t.config.Recycle, "github.com/recycling-go/recycling/core/cmd/recycle"))
	return err
}

// A BuildTime is how long builds of both kinds took, in the order plain, recycled. In JSON they
// are in nanoseconds.
type BuildTime struct {
	Cold [kinds]time.Duration // with an empty build cache
	Warm [kinds]time.Duration // again, with nothing changed
}

// build builds both programs.
func (s *subject) build(ctx context.Context) error {
	for k := range kind(kinds) {
		s.say("build %v", k)
		if _, err := s.buildOne(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// measureBuild measures builds with a cache of their own, which is deleted afterwards.
func (s *subject) measureBuild(ctx context.Context) (*BuildTime, error) {
	var times BuildTime
	for k := range kind(kinds) {
		s.say("build %v with an empty cache", k)
		cache, err := os.MkdirTemp(s.t.config.Dir, "cache")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(cache)
		for _, took := range []*time.Duration{&times.Cold[k], &times.Warm[k]} {
			if *took, err = s.buildOne(ctx, k, "GOCACHE="+cache); err != nil {
				return nil, err
			}
		}
	}
	return &times, nil
}

// buildOne builds a program, and returns how long that took.
func (s *subject) buildOne(ctx context.Context, k kind, env ...string) (time.Duration, error) {
	args := slices.Concat([]string{"build", "-buildvcs=false", "-o", s.program(k)}, s.Build, []string{s.Package})
	cmd := s.command(ctx, s.sourceDir(), s.t.tool(k), args...)
	cmd.Env = append(cmd.Env, env...)
	begin := time.Now()
	if _, err := output(cmd); err != nil {
		return 0, fmt.Errorf("build %v: %w", k, err)
	}
	return time.Since(begin), nil
}
