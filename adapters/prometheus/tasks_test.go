package recyclingprometheus

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

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
	rec, reg := observe.NewTaskRecorder(), prometheus.NewPedanticRegistry()
	if err := RegisterTasks(reg, rec); err != nil {
		t.Fatal(err)
	}
	expect := func(want float64, name string, labels ...string) {
		t.Helper()
		if got, ok := series(t, reg, name, labels...); !ok || got != want {
			t.Errorf("%s%v is %v, %v, want %v", name, labels, got, ok, want)
		}
	}
	place := task.Observe(task.Local(pool), "local", rec)
	expect(2, "recycling_place_workers_idle", "place", "local")

	var tasks task.Set
	half := task.Register(&tasks, "half", func(_ context.Context, n int) (int, error) {
		if n%2 == 1 {
			return 0, errors.New("odd")
		}
		expect(1, "recycling_place_tasks_running", "place", "local")
		return n / 2, nil
	}, task.Options{})
	for n := range 5 {
		half.Do(t.Context(), place, n)
	}
	of := []string{"place", "local", "task", "half"}
	expect(3, "recycling_tasks_total", append(of, "result", "returned")...)
	expect(2, "recycling_tasks_total", append(of, "result", "failed")...)
	expect(0, "recycling_tasks_total", append(of, "result", "shed_full")...)
	expect(5, "recycling_task_queue_seconds", of...)
	expect(5, "recycling_task_duration_seconds", of...)
	expect(0, "recycling_task_retries_total", of...)
	expect(0, "recycling_place_calls_queued", "place", "local")

	pool.Close()
	half.Do(t.Context(), place, 0)
	expect(1, "recycling_tasks_total", append(of, "result", "shed_closed")...)
	expect(6, "recycling_task_queue_seconds", of...)
	expect(5, "recycling_task_duration_seconds", of...)
}

func TestTaskRecordersAreToldApart(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	if err := RegisterTasks(reg, observe.NewTaskRecorder()); err != nil {
		t.Fatal(err)
	}
	if err := RegisterTasks(reg, observe.NewTaskRecorder()); err == nil || !strings.Contains(err.Error(), "Config.Labels") {
		t.Errorf("the error is %v", err)
	}
	if err := (Config{Labels: prometheus.Labels{"app": "b"}}).RegisterTasks(prometheus.NewPedanticRegistry(), observe.NewTaskRecorder()); err != nil {
		t.Error(err)
	}
	for _, bounds := range [][]time.Duration{{0}, {2, 1}, {1, 1}} {
		if err := (Config{Buckets: bounds}).RegisterTasks(prometheus.NewPedanticRegistry(), observe.NewTaskRecorder()); err == nil || !strings.Contains(err.Error(), "Buckets") {
			t.Errorf("%v: the error is %v", bounds, err)
		}
	}
	if err := (Config{Labels: prometheus.Labels{"task": "x"}}).RegisterTasks(prometheus.NewPedanticRegistry(), observe.NewTaskRecorder()); err == nil {
		t.Error("a label of a metric was accepted as a label of all")
	}
}

func TestPromtoolAcceptsTheMetricsOfTasks(t *testing.T) {
	reg, rec := prometheus.NewPedanticRegistry(), observe.NewTaskRecorder()
	if err := (Config{NativeHistograms: true}).RegisterTasks(reg, rec); err != nil {
		t.Fatal(err)
	}
	rec.AddPlace("\xff", func() observe.PlaceStats { return observe.PlaceStats{Queued: 1} })
	rec.AddBacklog("\xff", func(context.Context) ([]observe.Backlog, error) {
		return []observe.Backlog{{Task: "a", Enqueued: 3, Oldest: 90 * time.Second, Calls: 2}}, nil
	})
	rec.TaskEnd(observe.TaskCall{Task: "a", Place: "\xff", Queued: time.Second, Running: 2 * time.Second, Retries: 1})
	for name, want := range map[string]float64{"recycling_backlog_tasks": 3, "recycling_backlog_age_seconds": 90, "recycling_backlog_calls": 2} {
		if got, ok := series(t, reg, name, "place", "\uFFFD", "task", "a"); !ok || got != want {
			t.Errorf("%s is %v, %v, want %v", name, got, ok, want)
		}
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	text := w.Body.String()
	for _, m := range taskMetrics {
		if !strings.Contains(text, "# TYPE "+m.name+" "+typeName(m)+"\n") {
			t.Errorf("there is no %s in\n%s", m.name, text)
		}
	}
	promtool(t, text, "check", "metrics")
}
