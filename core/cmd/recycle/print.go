package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// envText returns the lines for a shell that set the environment variables with which a plain go
// command does the same.
func (b *build) envText() (string, error) {
	var s strings.Builder
	quote := func(v string) string { return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'" }
	flags := strings.Fields(b.env.GOFLAGS)
	for _, f := range b.goFlags {
		name, _, _ := flagName(f)
		flags = slices.DeleteFunc(flags, func(old string) bool { n, _, _ := flagName(strings.Trim(old, `'"`)); return n == name })
		if strings.ContainsAny(f, " \t\n'\"") {
			f = `"` + f + `"`
			if strings.ContainsAny(f[1:len(f)-1], "\n\"") {
				return "", fmt.Errorf("the path in %s cannot be written into GOFLAGS; choose another folder with flag -dir", f)
			}
		}
		flags = append(flags, f)
	}
	fmt.Fprintf(&s, "export GOFLAGS=%s\n", quote(strings.Join(flags, " ")))
	for _, e := range b.goEnv {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&s, "export %s=%s\n", name, quote(value))
	}
	if b.left {
		for _, name := range []string{"GOROOT", "GOTOOLCHAIN", "PATH"} {
			fmt.Fprintf(&s, "export %s=%s\n", name, quote(os.Getenv(name)))
		}
	}
	return s.String(), nil
}

// commandText returns the go command that is run.
func (b *build) commandText() string {
	return strings.Join(slices.Concat(b.goEnv, []string{"go"}, b.cmd.args(b.goFlags)), " ") + "\n"
}
