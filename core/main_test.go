package recycling_test

import (
	"flag"
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain fails if a goroutine of ours outlives the tests. Most of them wait more than they work, so more
// of them run at the same time than there are processors, unless somebody says how many.
func TestMain(m *testing.M) {
	flag.Parse()
	if p := flag.Lookup("test.parallel"); p.Value.String() == p.DefValue {
		p.Value.Set("16")
	}
	os.Exit(leak.Main(m, ours))
}

// ours stands in the stacks of our goroutines.
const ours = "recycling-go"
