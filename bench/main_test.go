package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test binary be the server process, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
	}
	os.Exit(m.Run())
}

func TestWrongFlagsAreNamed(t *testing.T) {
	for _, args := range []string{"-d 0s", "-d -1s", "-rounds 0", "-c 0", "-n -1", "what", "-what"} {
		var stderr bytes.Buffer
		_, err := parse(strings.Fields(args), &stderr)
		name, _, _ := strings.Cut(args, " ")
		if !errors.Is(err, errUsage) || !strings.Contains(stderr.String(), name) {
			t.Errorf("%s: %v, and %q is printed, want errUsage and %s named", args, err, &stderr, name)
		}
	}
	if _, err := parse([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v, want flag.ErrHelp", err)
	}
}
