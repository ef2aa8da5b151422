package recyclingotel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

func TestTasksAreMeasuredByPlace(t *testing.T) {
	pool, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { pool.Close(); <-pool.Done() }()
	c := newCollector(t)
	o, err := Config{Attributes: []attribute.KeyValue{attribute.String("app", "x")}}.Tasks(c.mp)
	if err != nil {
		t.Fatal(err)
	}
	place := task.Observe(task.Local(pool), "local", o)
	c.expect("recycling.place.idle", map[string]string{"app=x,recycling.place=local": "2"})

	var tasks task.Set
	half := task.Register(&tasks, "half", func(_ context.Context, n int) (int, error) {
		if n%2 == 1 {
			return 0, errors.New("odd")
		}
		c.expect("recycling.place.running", map[string]string{"app=x,recycling.place=local": "1"})
		return n / 2, nil
	}, task.Options{})
	for n := range 5 {
		half.Do(t.Context(), place, n)
	}
	pool.Close()
	half.Do(t.Context(), place, 0)
	set := func(result string) string {
		return "app=x,recycling.place=local,recycling.result=" + result + ",recycling.task=half"
	}
	c.expect(nameTaskCalls, map[string]string{set("returned"): "3", set("failed"): "2", set("shed_closed"): "1"})
	c.expect(nameTaskQueue, map[string]string{set("returned"): "3", set("failed"): "2", set("shed_closed"): "1"})
	c.expect(nameTaskDuration, map[string]string{set("returned"): "3", set("failed"): "2"})
	c.expect(nameTaskRetries, nil)
	o.TaskEnd(observe.TaskCall{Place: "\xff", Task: "a", Retries: 2, Result: observe.TaskLost})
	c.expect(nameTaskRetries, map[string]string{"app=x,recycling.place=\uFFFD,recycling.result=lost,recycling.task=a": "2"})
}

func TestBacklogsAreMeasured(t *testing.T) {
	c := newCollector(t)
	o, err := Tasks(c.mp)
	if err != nil {
		t.Fatal(err)
	}
	o.(*taskObserver).AddBacklog("nats", func(context.Context) ([]observe.Backlog, error) {
		return []observe.Backlog{{Task: "a", Enqueued: 3, Oldest: 90 * time.Second, Calls: 2}}, nil
	})
	const set = "recycling.place=nats,recycling.task=a"
	c.expect("recycling.backlog.tasks", map[string]string{set: "3"})
	c.expect("recycling.backlog.age", map[string]string{set: "90"})
	c.expect("recycling.backlog.calls", map[string]string{set: "2"})
}

func TestTaskObserverAllocatesNothing(t *testing.T) {
	o, err := Tasks(newCollector(t).mp)
	if err != nil {
		t.Fatal(err)
	}
	call := observe.TaskCall{Task: "a", Place: "p", Queued: 1, Running: 1, Retries: 1}
	if n := testing.AllocsPerRun(1000, func() { o.TaskEnd(call) }); n != 0 {
		t.Errorf("a call allocates %v times", n)
	}
}

func TestAttributeSetsOfTasksAreBounded(t *testing.T) {
	o, err := Tasks(newCollector(t).mp)
	if err != nil {
		t.Fatal(err)
	}
	most := observe.MaxTasks * len(observe.TaskResults())
	for i := range most + 50 {
		o.TaskEnd(observe.TaskCall{Task: fmt.Sprint(i), Place: "p", Result: observe.TaskResult(i % 2)})
	}
	if n := len(o.(*taskObserver).sets.read()); n != most+2 {
		t.Errorf("there are %d sets, want %d", n, most+2)
	}
}

func TestTaskObserverMayBeUsedConcurrently(t *testing.T) {
	c := newCollector(t)
	o, err := Tasks(c.mp)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 100 {
				o.(*taskObserver).AddPlace(fmt.Sprint(k%3), func() observe.PlaceStats { return observe.PlaceStats{Idle: 1} })
				o.TaskEnd(observe.TaskCall{Task: fmt.Sprint(k % 5), Place: "p", Queued: time.Duration(i + 1), Running: 1})
				if k%50 == 0 {
					c.points("recycling.place.idle")
				}
			}
		})
	}
	all.Wait()
	if p := c.points(nameTaskCalls); len(p) != 5 || p["recycling.place=p,recycling.result=returned,recycling.task=0"] != "160" {
		t.Errorf("calls are %v", p)
	}
	c.expect("recycling.place.idle", map[string]string{"recycling.place=0": "1", "recycling.place=1": "1", "recycling.place=2": "1"})
}

func TestTasksNamesTheInstrumentThatFails(t *testing.T) {
	if _, err := Tasks(brokenProvider{noop.NewMeterProvider(), nameTaskQueue}); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), nameTaskQueue) {
		t.Errorf("the error is %v", err)
	}
}
