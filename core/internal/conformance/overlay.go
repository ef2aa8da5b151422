package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/recycling-go/recycling/core/internal/gotool"
	"github.com/recycling-go/recycling/core/internal/nethook"
)

// testHook keeps Serve from reading testHookServerServe for the listeners of this project. Tests of
// net/http write that variable between their servers, without a lock. The http.Server serves the
// listeners of this project on goroutines that such a test does not wait for.
var testHook = gotool.Edit{
	Find:    "if fn := testHookServerServe; fn != nil {",
	Replace: "if _, ours := l.(interface{ ForNetHTTP() }); ours {\n} else if fn := testHookServerServe; fn != nil {",
}

// overlay writes the patched files into dir, and returns the name of the file for go test -overlay.
// testPackage is the package name of the tests, and testDir is their directory.
func overlay(dir, testDir, testPackage string) (string, error) {
	o, err := gotool.NewOverlay(dir)
	if err != nil {
		return "", err
	}
	server := o.Std("net/http/server.go")
	text, err := os.ReadFile(server)
	if err != nil {
		return "", err
	}
	patched, err := nethook.Patch(server, text)
	if err != nil {
		return "", err
	}
	edited, err := gotool.Apply(server, string(patched), testHook)
	if err != nil {
		return "", err
	}
	if err := o.Put(server, edited); err != nil {
		return "", err
	}
	if err := o.Put(o.Std("net/http/recycling_hooks.go"), nethook.Hooks); err != nil {
		return "", err
	}
	test := strings.Replace(connect, "package main", "package "+testPackage, 1)
	if err := o.Put(filepath.Join(testDir, "recycling_hooks_test.go"), test); err != nil {
		return "", err
	}
	return o.Write()
}

// connect is the test file that makes every http.Server of the tests serve on recycled workers, as
// the command recycle does. A test expects that its server logs nothing.
const connect = `package main

import (
	"log/slog"
	"os"

	recycling_auto "github.com/recycling-go/recycling/core/auto"
)

func init() {
	if os.Getenv("RECYCLING_STRATEGY") != "goroutine" {
		slog.SetLogLoggerLevel(slog.LevelError)
	}
}

var _ = recycling_auto.Hooks1
`
