package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"

	"github.com/recycling-go/recycling/core/internal/gotool"
	"github.com/recycling-go/recycling/core/internal/nethook"
)

// A build prepares and runs a go command, which builds programs with package auto.
type build struct {
	opts        options
	cmd         *command
	env         *goEnv
	core        *core
	store       store
	overlay     map[string]string // contents, by the path of the file that they replace
	foreign     map[string]string // the files of the user's overlay, by the path of the file that they replace
	foreignName string            // of the file that lists them; empty if there is none
	extra       []gomodPath       // what the added module of a workspace requires in addition to core
	versioned   bool              // the packages were given with a version
	left        bool              // leaveCache has changed the environment of this process
	goFlags     []string          // for the go command
	goEnv       []string          // environment variables for it
}

// prepare writes the files and collects the flags and environment variables with which the go
// command does what cmd says.
func prepare(o options, cmd *command) (*build, error) {
	b := &build{opts: o, cmd: cmd, overlay: map[string]string{}, foreign: map[string]string{}}
	var err error
	if b.store, err = openStore(o.dir); err != nil {
		return nil, err
	}
	if o.core != "" {
		if o.core, err = filepath.Abs(o.core); err != nil {
			return nil, err
		}
	}
	if err := cmd.enter(); err != nil { // the folders of this command's own flags are not relative to it
		return nil, err
	}
	if b.core, err = findCore(o.core); err != nil {
		return nil, err
	}
	if b.env, err = readEnv(); err != nil {
		return nil, err
	}
	for _, step := range []func() error{b.addVersioned, b.leaveCache, b.readOverlay, b.replaceNetHTTP, b.addModule, b.addPrograms, b.mergeOverlay, b.writeOverlay} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// leaveCache sets GOROOT to a folder outside of the module cache if the toolchain is in it, because
// the go command replaces no file in the cache.
func (b *build) leaveCache() error {
	dir := filepath.Join(string(b.store), sum(b.env.GOROOT))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var err error
	if b.left, err = gotool.LeaveCache(dir); err != nil || !b.left {
		return err
	}
	b.env, err = readEnv()
	return err
}

// replaceNetHTTP puts the hooks into net/http.
func (b *build) replaceNetHTTP() error {
	if err := nethook.Tested(b.env.GOVERSION); err != nil && !b.opts.force {
		return fmt.Errorf("%w; flag -force tries it", err)
	}
	dir := filepath.Join(b.env.GOROOT, "src", "net", "http")
	file := filepath.Join(dir, "server.go")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	patched, err := nethook.Patch(file, text)
	if err != nil {
		return fmt.Errorf("net/http of %s is not as expected: %w", b.env.GOVERSION, err)
	}
	b.overlay[file] = string(patched)
	hooks := nethook.Hooks
	if b.left {
		// The go command compiles the package again if a file changes, but not if its folder does,
		// which is part of stack traces.
		hooks += fmt.Sprintf("\n// This package is in %q.\n", dir)
	}
	b.overlay[filepath.Join(dir, "recycling_hooks.go")] = hooks
	return nil
}

// An overlayFile is the contents of a file for flag -overlay.
type overlayFile struct{ Replace map[string]string }

// readOverlay reads the overlay that the user or GOFLAGS has named.
func (b *build) readOverlay() error {
	b.foreignName = b.flag("overlay")
	if b.foreignName == "" {
		return nil
	}
	text, err := os.ReadFile(b.foreignName)
	if err != nil {
		return fmt.Errorf("flag -overlay: %w", err)
	}
	var f overlayFile
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("flag -overlay: %s: %w", b.foreignName, err)
	}
	for to, from := range f.Replace {
		if to, err = filepath.Abs(to); err != nil {
			return err
		}
		if from != "" { // otherwise the file is not there for the go command
			if from, err = filepath.Abs(from); err != nil {
				return err
			}
		}
		b.foreign[to] = from
	}
	return nil
}

// mergeOverlay removes the user's flag -overlay: writeOverlay adds what it names. Until now the go
// command has needed the flag, to find the packages.
func (b *build) mergeOverlay() error {
	b.cmd.without("overlay")
	for to := range b.foreign {
		if _, ok := b.overlay[to]; ok {
			return fmt.Errorf("flag -overlay: %s: %s is replaced by this command too", b.foreignName, to)
		}
	}
	return nil
}

// writeOverlay writes the overlay, which includes the user's, and the files that it names.
func (b *build) writeOverlay() error {
	files := map[string]string{}
	f := overlayFile{map[string]string{}}
	for path, text := range b.overlay {
		name := sum(path, text) + "_" + filepath.Base(path)
		files[name] = text
		f.Replace[path] = name
	}
	dir, err := b.store.folder(files)
	if err != nil {
		return err
	}
	for path, name := range f.Replace {
		f.Replace[path] = filepath.Join(dir, name)
	}
	maps.Copy(f.Replace, b.foreign)
	text, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return err
	}
	if dir, err = b.store.folder(map[string]string{"overlay.json": string(text)}); err != nil {
		return err
	}
	b.goFlags = append(b.goFlags, "-overlay="+filepath.Join(dir, "overlay.json"))
	return nil
}

// run runs the go command, and returns its exit code.
func (b *build) run() (int, error) {
	cmd := exec.Command("go", b.cmd.args(b.goFlags)...)
	cmd.Env = append(os.Environ(), b.goEnv...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	defer close(done)
	go forward(signals, cmd.Process, done)
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// forward passes signals on to the go command, except those that a terminal sends to both.
func forward(signals <-chan os.Signal, to *os.Process, done <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if s != os.Interrupt && s != quit {
				to.Signal(s)
			}
		case <-done:
			return
		}
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
