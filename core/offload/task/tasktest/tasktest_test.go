package tasktest_test

import (
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/offload/task/tasktest"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

func TestMain(m *testing.M) {
	os.Exit(leak.Main(m, "core/offload", "alitto/pond"))
}

func TestLocal(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Local())
}
