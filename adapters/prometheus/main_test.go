package recyclingprometheus

import (
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain fails if a goroutine of this project outlives the tests.
func TestMain(m *testing.M) { os.Exit(leak.Main(m, "recycling-go")) }
