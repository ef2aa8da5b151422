package embedded_test

import (
	"context"
	"testing"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload/task"
)

func TestBacklogIsObserved(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	double := task.Register(&tasks, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil }, task.Options{})
	client := connect(t, recyclingnats.Config{})
	rec := observe.NewTaskRecorder()
	client.ObserveBacklog("nats", nil, rec)
	for n := range 3 { // there is no worker
		if _, err := recyclingnats.Enqueue(t.Context(), client, double, n, recyclingnats.EnqueueOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	got := rec.Backlogs()["nats"]
	if len(got) != 1 || got[0].Task != "double" || got[0].Enqueued != 3 || got[0].Oldest <= 0 || got[0].Calls != 0 {
		t.Errorf("the backlog is %+v", got)
	}
	client.Close()
	fresh := observe.NewTaskRecorder()
	client.ObserveBacklog("nats", fresh)
	if got := fresh.Backlogs()["nats"]; len(got) != 0 {
		t.Errorf("the backlog of a closed client is %+v", got)
	}
}
