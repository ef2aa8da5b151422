//go:build unix

package systemd_test

import (
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain runs a service instead of the tests if the environment says so. Otherwise it fails if a
// goroutine of this project outlives the tests.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(serviceMain(role))
	}
	os.Exit(leak.Main(m, "recycling-go"))
}
