package recycling_test

import (
	"log/slog"
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain fails if a goroutine of this package is left after the tests. It drops what servers
// without a Log say about themselves.
func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelError)
	os.Exit(leak.Main(m, ours))
}

// ours occurs in the stacks of our goroutines.
const ours = "recycling-go"
