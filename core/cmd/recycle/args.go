package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// A command is a go command: a verb, such as build, and its arguments.
type command struct {
	verb     string
	chdir    string   // the value of -C; "" if there is none
	flags    []string // those before the packages
	packages []string // as given; empty means the current folder
	rest     []string // what follows the packages
}

// withValue are those flags of the four verbs that have a value, which may be the next argument.
var withValue = words(`C asmflags bench benchtime blockprofile blockprofilerate buildmode compiler count covermode
	coverpkg coverprofile cpu cpuprofile debug-actiongraph debug-runtime-trace debug-trace exec fuzz fuzzcachedir
	fuzzminimizetime fuzztime gccgoflags gcflags installsuffix ldflags list memprofile memprofilerate mod modfile
	mutexprofile mutexprofilefraction o outputdir overlay p parallel pgo pkgdir run shuffle skip tags test.run timeout
	toolexec trace vet`)

// forList are the flags that select packages and files. Therefore go list must get them too.
var forList = words("asan buildmode compiler cover covermode coverpkg installsuffix mod modfile msan overlay race tags")

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// flagName returns the name of a flag, such as "mod", and its value if the argument contains it.
func flagName(arg string) (name, value string, hasValue bool) {
	return strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
}

// parse splits the arguments of a verb as the go command does.
func parse(verb string, args []string) (*command, error) {
	c := &command{verb: verb}
	if len(args) > 0 {
		if name, value, has := flagName(args[0]); name == "C" && strings.HasPrefix(args[0], "-") {
			args = args[1:]
			if !has {
				if len(args) == 0 {
					return nil, fmt.Errorf("flag -C has no value")
				}
				value, args = args[0], args[1:]
			}
			c.chdir = value
		}
	}
	i := 0
	for i < len(args) && strings.HasPrefix(args[i], "-") && args[i] != "-" {
		name, _, has := flagName(args[i])
		if name == "args" && verb == "test" || args[i] == "--" {
			break
		}
		if name == "C" {
			return nil, fmt.Errorf("flag -C must be the first flag")
		}
		i++
		if withValue[name] && !has {
			if i == len(args) {
				return nil, fmt.Errorf("flag -%s has no value", name)
			}
			i++
		}
	}
	if verb != "test" && i < len(args) && args[i] == "--" { // go test passes this on to the tests
		i++
	}
	c.flags, args = args[:i], args[i:]
	n := 0
	switch {
	case verb == "run" && len(args) > 0:
		for n < len(args) && strings.HasSuffix(args[n], ".go") {
			n++
		}
		n = max(n, 1)
	case verb == "test":
		for n < len(args) && !strings.HasPrefix(args[n], "-") {
			n++
		}
	default:
		n = len(args)
	}
	c.packages, c.rest = args[:n], args[n:]
	if len(c.packages) > 0 && strings.HasPrefix(c.packages[0], "-") {
		c.packages, c.rest = nil, args
	}
	return c, nil
}

// enter changes the current folder to that of flag -C.
func (c *command) enter() error {
	if c.chdir == "" {
		return nil
	}
	if err := os.Chdir(c.chdir); err != nil {
		return fmt.Errorf("flag -C: %w", err)
	}
	return nil
}

// An argument is a flag with its value, or another argument.
type argument struct {
	flag  string // its name, such as "mod"; "" if this is not a flag
	value string
	text  []string // as given
}

// arguments splits flags, which may have other arguments between them.
func arguments(args []string) (all []argument) {
	for len(args) > 0 {
		n, a := 1, argument{}
		if strings.HasPrefix(args[0], "-") {
			var has bool
			if a.flag, a.value, has = flagName(args[0]); withValue[a.flag] && !has && len(args) > 1 {
				n, a.value = 2, args[1]
			}
		}
		a.text, args = args[:n], args[n:]
		all = append(all, a)
	}
	return all
}

// allFlags returns all flags of the go command. Those of go test may follow the packages.
func (c *command) allFlags() []argument {
	return append(arguments(c.flags), arguments(c.testFlags())...)
}

// value returns the value of a flag with a value, and whether it is among the flags. The last one
// counts.
func (c *command) value(flag string) (value string, ok bool) {
	for _, a := range c.allFlags() {
		if a.flag == flag {
			value, ok = a.value, true
		}
	}
	return value, ok
}

// testFlags returns the flags of go test that follow the packages.
func (c *command) testFlags() []string {
	if c.verb != "test" {
		return nil
	}
	for i, a := range c.rest {
		if a == "-args" || a == "--args" {
			return c.rest[:i]
		}
	}
	return c.rest
}

// without removes a flag that has a value.
func (c *command) without(flag string) {
	c.flags = without(c.flags, flag)
	tail := c.rest[len(c.testFlags()):]
	c.rest = append(without(c.testFlags(), flag), tail...)
}

func without(args []string, flag string) (left []string) {
	for _, a := range arguments(args) {
		if a.flag != flag {
			left = append(left, a.text...)
		}
	}
	return left
}

// listFlags returns the flags that go list must get too.
func (c *command) listFlags() (flags []string) {
	for _, a := range c.allFlags() {
		if forList[a.flag] {
			flags = append(flags, a.text...)
		}
	}
	return flags
}

// files reports whether the packages are given as a list of Go files.
func (c *command) files() bool {
	return len(c.packages) > 0 && strings.HasSuffix(c.packages[0], ".go")
}

// args returns the arguments for the go command, with more flags.
func (c *command) args(more []string) []string {
	return slices.Concat([]string{c.verb}, more, c.flags, c.packages, c.rest)
}
