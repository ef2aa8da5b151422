package soak_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/trial/soak"
)

// TestMain makes the test binary a server when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == soak.ServerArg {
		if err := soak.ServerMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	flag.Set("test.parallel", "8") // the tests mostly wait
	os.Exit(m.Run())
}
