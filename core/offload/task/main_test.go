package task

import (
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m, "core/offload", "alitto/pond")) }
