package status

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

func TestTasksAreShown(t *testing.T) {
	t.Parallel()
	pool, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { pool.Close(); <-pool.Done() }()
	p := &Page{Log: quiet()}
	rec := observe.NewTaskRecorder()
	p.Tasks(rec)
	p.Tasks(rec)
	place := task.Observe(task.Local(pool), "here", rec)
	for format, want := range map[string]string{"html": "No call of a task has ended yet", "text": "No call of a task has ended yet", "json": `"idle": 2`} {
		if body := get(t, p, "/?format="+format).Body.String(); !strings.Contains(body, want) || !strings.Contains(body, "here") {
			t.Errorf("there is no %q in\n%s", want, body)
		}
	}

	var tasks task.Set
	half := task.Register(&tasks, "half", func(_ context.Context, n int) (int, error) {
		if n%2 == 1 {
			return 0, errors.New("odd")
		}
		return n / 2, nil
	}, task.Options{})
	for n := range 5 {
		half.Do(t.Context(), place, n)
	}
	pool.Close()
	half.Do(t.Context(), place, 0)
	rec.TaskEnd(observe.TaskCall{Task: "zoom", Place: "there", Queued: 1, Running: time.Second, Retries: 2, Result: observe.TaskLost})

	r := fresh(t, p).Tasks
	if len(r) != 1 || len(r[0].Places) != 1 || len(r[0].Tasks) != 2 {
		t.Fatalf("got %+v", r)
	}
	h, z := r[0].Tasks[0], r[0].Tasks[1]
	if h.Task != "half" || h.Place != "here" || h.Total != 6 || h.Shed != 1 || h.Failed != 2 || h.Lost != 0 || h.Queue.Count != 6 || h.Running.Count != 5 || h.Results["returned"] != 3 {
		t.Errorf("got %+v", h)
	}
	if z.Total != 1 || z.Lost != 3 || z.Retries != 2 || z.Running.P99 < 900*time.Millisecond {
		t.Errorf("got %+v", z)
	}
	for format, want := range map[string][]string{
		"html": {"<bdi>half</bdi>", "<bdi>there</bdi>", "Shed calls got no worker"},
		"text": {"half, here\n", "zoom, there\n", "queue p99"},
	} {
		body := get(t, p, "/?format="+format).Body.String()
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("there is no %q in\n%s", text, body)
			}
		}
	}
}

func TestTasksAreThoseOfTheWindow(t *testing.T) {
	t.Parallel()
	rec := observe.NewTaskRecorder()
	w := &watchedTasks{rec: rec}
	const s = time.Second
	end := func(r observe.TaskResult) {
		rec.TaskEnd(observe.TaskCall{Task: "a", Place: "p", Queued: 1, Running: s, Result: r})
	}
	end(observe.TaskShedFull)
	report := func(at time.Duration) taskReport {
		r := &report{at: at}
		r.addTasks([]*watchedTasks{w})
		return r.Tasks[0].Tasks[0]
	}
	if got := report(20 * s); got.Shed != 1 || got.Recent != 1 {
		t.Errorf("got %+v", got)
	}
	end(observe.TaskReturned)
	if got := report(22 * s); got.Shed != 0 || got.Recent != 1 || got.Total != 2 || got.PerSecond != 0.5 || got.Running.Count != 1 {
		t.Errorf("got %+v", got)
	}
	if got := report(40 * s); got.Recent != 0 || got.Total != 2 || got.Results["shed_full"] != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestSamplesOfTasksAreShared(t *testing.T) {
	t.Parallel()
	rec := observe.NewTaskRecorder()
	w := &watchedTasks{rec: rec}
	rec.TaskEnd(observe.TaskCall{Task: "a", Place: "p", Queued: 1, Running: 1})
	first, _ := w.take(time.Second)
	rec.TaskEnd(observe.TaskCall{Task: "a", Place: "p", Queued: 1, Result: observe.TaskShedFull})
	last, before := w.take(2 * time.Second)
	k := taskKey{"p", "a"}
	if before != first || last.tasks[k].Queued.Count != 2 || last.tasks[k].Running.Count != 1 || last.tasks[k].Results[observe.TaskShedFull] != 1 {
		t.Errorf("got %+v", last.tasks[k])
	}
}

func TestHostileNamesOfPlaces(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	rec := observe.NewTaskRecorder()
	p.Tasks(rec)
	rec.AddPlace(hostile, func() observe.PlaceStats { return observe.PlaceStats{} })
	rec.AddBacklog(hostile, func(context.Context) ([]observe.Backlog, error) {
		return []observe.Backlog{{Task: hostile, Enqueued: 1234, Oldest: 90 * time.Second, Calls: 2}}, nil
	})
	rec.TaskEnd(observe.TaskCall{Task: hostile, Place: hostile})
	html := get(t, p, "/?format=html").Body.String()
	if strings.Contains(html, "<script>alert") || strings.Count(html, "&lt;script&gt;alert(1)&lt;/script&gt;") != 5 || !strings.Contains(html, "1,234") {
		t.Errorf("the page shows\n%s", html)
	}
	for _, format := range []string{"html", "text", "json"} {
		if body := get(t, p, "/?format="+format).Body.String(); strings.ContainsAny(body, "\x1b\u202e\x00") {
			t.Errorf("%s has characters that cannot be printed:\n%q", format, body)
		}
	}
}
