package recycling_test

import (
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain fails if a goroutine of this package is left after the tests.
func TestMain(m *testing.M) { os.Exit(leak.Main(m, ours)) }

// ours occurs in the stacks of our goroutines.
const ours = "recycling-go"
