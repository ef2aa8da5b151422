package embedded_test

import (
	"context"
	"os/exec"
	"testing"
	"time"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task/tasktest"
)

// A worker passes its tasks on to its own children.
func TestPlaceOfWorkerWithChildren(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: it starts many processes")
	}
	t.Parallel()
	tasktest.Run(t, tasktest.Target{
		Name:      "children",
		Processes: true,
		Except: map[string]string{
			"retriesAreObserved": "the children's place, not the client, calls the task again",
		},
		Start: func(t testing.TB, o offload.Config) *tasktest.Instance {
			g := child.Group{Name: "suite"}
			g.Config = offload.Config{Workers: o.Workers, Slots: o.Slots}
			g.Backoff, g.MaxBackoff = time.Millisecond, 10*time.Millisecond
			g.Failed = func(err error) { t.Log(err) }
			g.Command.New = func() *exec.Cmd {
				cmd := child.Self()
				cmd.Env = append(cmd.Env, childVariable+"=yes")
				return cmd
			}
			p, err := child.Open(context.Background(), child.Config{Tasks: &tasktest.Tasks, Groups: []child.Group{g}})
			if err != nil {
				t.Fatal(err)
			}
			in := instanceAt(t, recyclingnats.Config{Embedded: start(t)}, o, p)
			served, done := in.Done, make(chan struct{})
			go func() {
				defer close(done)
				<-served
				p.Close()
				<-p.Done()
			}()
			in.Done = done
			return in
		},
	})
}
