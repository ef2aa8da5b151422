package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// A goEnv is what go env prints.
type goEnv struct {
	GOROOT, GOVERSION, GOMOD, GOWORK, GOMODCACHE, GOFLAGS string
}

func readEnv() (*goEnv, error) {
	out, err := output(nil, "go", "env", "-json", "GOROOT", "GOVERSION", "GOMOD", "GOWORK", "GOMODCACHE", "GOFLAGS")
	if err != nil {
		return nil, err
	}
	e := new(goEnv)
	if err := json.Unmarshal(out, e); err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	if e.GOMOD == os.DevNull {
		e.GOMOD = ""
	}
	if e.GOWORK == "off" {
		e.GOWORK = ""
	}
	return e, nil
}

// flag returns the value of a flag in GOFLAGS.
func (e *goEnv) flag(name string) string {
	value := ""
	for _, f := range strings.Fields(e.GOFLAGS) {
		if n, v, _ := flagName(strings.Trim(f, `'"`)); n == name {
			value = v
		}
	}
	return value
}

// flag returns the value of a flag of the go command, which may be in GOFLAGS.
func (b *build) flag(name string) string {
	if value, ok := b.cmd.value(name); ok {
		return value
	}
	return b.env.flag(name)
}

// output runs a command with more environment variables, and returns its standard output. If the
// command fails, the error contains what it printed to standard error.
func output(env []string, name string, args ...string) ([]byte, error) {
	return outputIn("", env, name, args...)
}

// outputIn is output in a folder, where "" means the current one.
func outputIn(dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// decode decodes a sequence of JSON values, as go list -json prints it.
func decode[T any](out []byte) ([]T, error) {
	var all []T
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var v T
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}
