//go:build unix

package upgrade_test

import (
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain runs a server instead of the tests if the environment says so. Otherwise it fails if a
// goroutine of this project outlives the tests.
func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) != "" {
		os.Exit(serverMain())
	}
	os.Exit(leak.Main(m, "recycling-go"))
}
