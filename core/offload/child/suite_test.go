package child_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task/tasktest"
)

func TestSuite(t *testing.T) {
	tasktest.Run(t, tasktest.Target{
		Name:      "children",
		Processes: true,
		Ahead:     1 << 20,
		Start: func(t testing.TB, c offload.Config) *tasktest.Instance {
			g := child.Group{Name: "suite"}
			g.Config = c
			g.Backoff, g.MaxBackoff = time.Millisecond, 10*time.Millisecond
			g.Failed = func(err error) { t.Log(err) }
			g.Command.New = func() *exec.Cmd {
				cmd := child.Self()
				cmd.Env = append(cmd.Env, "SUITE=yes")
				return cmd
			}
			p, err := child.Open(ctx, child.Config{Tasks: &tasktest.Tasks, Groups: []child.Group{g}})
			if err != nil {
				t.Fatal(err)
			}
			return &tasktest.Instance{Place: p, Shutdown: p.Shutdown, Close: p.Close, Done: p.Done()}
		},
	})
}
