package park

import (
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain fails if a goroutine of this package outlives the tests.
func TestMain(m *testing.M) {
	os.Exit(leak.Main(m, "internal/park"))
}

// Classes as a server may define them.
const (
	Hello = None + 1 + iota
	First
	Header
	Idle
	Linger
)
