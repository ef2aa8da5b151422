package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// TestDrain is a small run. It includes net/http, which loses requests, to check that lost requests
// are counted.
func TestDrain(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	if runtime.GOOS == "windows" {
		t.Skip("no process can be sent SIGTERM here")
	}
	strategies := []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed}
	if name := os.Getenv(recycling.EnvStrategy); name != "" {
		strategies = []recycling.Strategy{recycling.Strategy(name)}
	}
	dir := t.TempDir()
	for _, framework := range []string{"chi", "echo", "echo5", "gin"} {
		t.Run(framework, func(t *testing.T) {
			program, err := build(t.Context(), dir, framework)
			if err != nil {
				t.Fatal(err)
			}
			for _, strategy := range strategies {
				t.Run(string(strategy), func(t *testing.T) {
					for range 2 {
						r, err := round(t.Context(), program, string(strategy), 100)
						if err != nil {
							t.Error(err)
						}
						t.Logf("%+v", r)
						if strategy == recycling.Recycling && r.lost+r.truncated > 0 {
							t.Errorf("%d requests were lost, and %d responses cut off", r.lost, r.truncated)
						}
						// net/http may lose all that were in flight.
						if r.answered < 100 || r.inFlight+r.lost == 0 {
							t.Errorf("%d requests were answered, and %d were in flight, want some more", r.answered, r.inFlight+r.lost)
						}
					}
				})
			}
		})
	}
}

func TestProgramThatEndsEarlyIsAnError(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := round(t.Context(), program, "recycling", 5); !errors.Is(err, errEarly) {
		t.Errorf("round returned %v, want %v", err, errEarly)
	}
}
