package recycling_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

func TestVersionIsThatOfTheModule(t *testing.T) {
	const path = "github.com/recycling-go/recycling/core"
	core := func(version string, replace *debug.Module) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main: debug.Module{Path: "example.com/app", Version: "v9.9.9"},
			Deps: []*debug.Module{{Path: path + "/v2", Version: "v2.0.0"}, {Path: path, Version: version, Replace: replace}},
		}
	}
	for _, tt := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"no build information", nil, recycling.Release},
		{"another program", &debug.BuildInfo{Main: debug.Module{Path: "example.com/app", Version: "v9.9.9"}}, recycling.Release},
		{"a version", core("v0.3.1", nil), "v0.3.1"},
		{"a workspace", core("(devel)", nil), recycling.Release},
		{"replaced by a folder", core("v0.3.1", &debug.Module{Path: "../recycling/core"}), recycling.Release},
		{"replaced by a fork", core("v0.3.1", &debug.Module{Path: "example.com/core", Version: "v0.3.2"}), "v0.3.2"},
		{"a program of the module", &debug.BuildInfo{Main: debug.Module{Path: path, Version: "v0.3.1"}}, "v0.3.1"},
	} {
		if got := recycling.VersionIn(tt.info); got != tt.want {
			t.Errorf("%s: the version is %q, want %q", tt.name, got, tt.want)
		}
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(recycling.Release) {
		t.Errorf("%q is no version of a module", recycling.Release)
	}
}

func TestStatsAndTheLogNameTheVersion(t *testing.T) {
	for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Goroutine, recycling.Fixed} {
		t.Run(string(strategy), func(t *testing.T) {
			var log bytes.Buffer
			defer slog.SetDefault(slog.Default())
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))

			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			s := recycling.New(http.NotFoundHandler())
			s.Strategy = strategy
			go func() {
				defer cancel()
				resp, err := http.Get("http://" + l.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			}()
			if err := s.Run(ctx, func() error { return s.Serve(l) }); err != nil {
				t.Fatal(err)
			}
			if want := "version=" + recycling.Version(); !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %q:\n%s", want, &log)
			}
			stats, err := json.Marshal(s.Stats())
			if err != nil {
				t.Fatal(err)
			}
			if want := `"version":"` + recycling.Version() + `"`; !strings.Contains(string(stats), want) {
				t.Errorf("Stats have no %s: %s", want, stats)
			}
		})
	}
}
