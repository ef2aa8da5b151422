package recyclingprometheus

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/recycling-go/recycling/core/observe"
)

// RegisterTasks registers the metrics of tasks that rec records with reg:
//
//	rec := observe.NewTaskRecorder()
//	place = task.Observe(place, "children", rec)
//	err := recyclingprometheus.RegisterTasks(prometheus.DefaultRegisterer, rec)
//
// One recorder may be used for several places. RegisterTasks returns an error if reg has metrics of
// the same name and labels, such as those of another recorder: see [Config].
func RegisterTasks(reg prometheus.Registerer, rec *observe.TaskRecorder) error {
	return Config{}.RegisterTasks(reg, rec)
}

// RegisterTasks is like the function RegisterTasks. It also returns an error if Buckets are not
// positive and ascending, or if Labels are not valid.
func (c Config) RegisterTasks(reg prometheus.Registerer, rec *observe.TaskRecorder) error {
	col, err := c.collector(taskMetrics, func(s *snapshot) { s.tasks, s.places, s.backlogs = rec.Tasks(), rec.Places(), rec.Backlogs() })
	if err != nil {
		return err
	}
	return col.register(reg, "TaskRecorder")
}

// ofPlaces returns the function for a gauge with a value for each place.
func ofPlaces(f func(observe.PlaceStats) int) func(*snapshot, func(float64, ...string)) {
	return func(s *snapshot, emit func(float64, ...string)) {
		for name, p := range s.places {
			emit(float64(f(p)), valid(name))
		}
	}
}

// ofBacklogs returns the function for a gauge with a value for each task that has a backlog.
func ofBacklogs(f func(observe.Backlog) float64) func(*snapshot, func(float64, ...string)) {
	return func(s *snapshot, emit func(float64, ...string)) {
		for place, list := range s.backlogs {
			for _, b := range list {
				emit(f(b), valid(place), valid(b.Task))
			}
		}
	}
}

// taskMetrics are those of RegisterTasks, in the order of docs/metrics.md.
var taskMetrics = []metric{
	{
		name: "recycling_tasks_total", kind: counter, labels: []string{"place", "task", "result"},
		help: "Calls of tasks that have ended, by result: returned, failed, panicked, timed_out, left (by their caller), shed_full, shed_wait and shed_closed (they got no worker, and 503), lost (their worker was), or refused (no worker can run the task).",
		do:   "shed: add workers or machines, or send less. timed_out: compare recycling_task_queue_seconds with recycling_task_duration_seconds. lost: workers crash or are killed, often for lack of memory: look at their logs. refused: callers and workers run different versions, or too few slots are configured.",
		values: func(s *snapshot, emit func(float64, ...string)) {
			for _, t := range s.tasks {
				for r, n := range t.Results {
					emit(float64(n), valid(t.Place), valid(t.Task), r.String())
				}
			}
		},
	},
	{
		name: "recycling_task_queue_seconds", kind: histogram, labels: []string{"place", "task"},
		help: "Time from the call of a task until it began, or until the call ended without that.",
		do:   "If it grows, all workers of the place are busy: compare recycling_place_tasks_running. Add workers or machines, or make tasks shorter.",
		times: func(s *snapshot, emit func(observe.Distribution, ...string)) {
			for _, t := range s.tasks {
				emit(t.Queued, valid(t.Place), valid(t.Task))
			}
		},
	},
	{
		name: "recycling_task_duration_seconds", kind: histogram, labels: []string{"place", "task"},
		help: "Time from the start of a task until its call ended. Calls whose task did not begin are left out.",
		do:   "Find the task that has become slow, and profile it where it runs. It contains the time for passing the output to the caller.",
		times: func(s *snapshot, emit func(observe.Distribution, ...string)) {
			for _, t := range s.tasks {
				emit(t.Running, valid(t.Place), valid(t.Task))
			}
		},
	},
	{
		name: "recycling_task_retries_total", kind: counter, labels: []string{"place", "task"},
		help: "How often tasks began again because their worker was lost.",
		do:   "A few are normal while machines are replaced. Otherwise workers crash: look at their logs, and at their memory.",
		values: func(s *snapshot, emit func(float64, ...string)) {
			for _, t := range s.tasks {
				emit(float64(t.Retries), valid(t.Place), valid(t.Task))
			}
		},
	},
	{
		name: "recycling_place_calls_queued", kind: gauge, labels: []string{"place"},
		help:   "Calls of tasks that wait for a worker of the place.",
		do:     "If it is not close to zero most of the time, the place has too few workers for its load: calls are shed when the queue is full, or when they have waited too long.",
		values: ofPlaces(func(p observe.PlaceStats) int { return p.Queued }),
	},
	{
		name: "recycling_place_tasks_running", kind: gauge, labels: []string{"place"},
		help:   "Workers of the place that run a task, including tasks whose caller has left.",
		do:     "Compare it with recycling_place_workers_idle. If it is higher than the calls in progress, tasks do not end when their context does.",
		values: ofPlaces(func(p observe.PlaceStats) int { return p.Running }),
	},
	{
		name: "recycling_place_workers_idle", kind: gauge, labels: []string{"place"},
		help:   "Workers of the place with nothing to do.",
		do:     "If it is zero for long, add workers. If it is never close to zero, there are more workers than needed.",
		values: ofPlaces(func(p observe.PlaceStats) int { return p.Idle }),
	},
	{
		name: "recycling_backlog_tasks", kind: gauge, labels: []string{"place", "task"},
		help:   "Enqueued tasks that are not done, on all machines together: queued, running, or to be tried again.",
		do:     "If it grows for long, there are too few workers for what is enqueued: add machines.",
		values: ofBacklogs(func(b observe.Backlog) float64 { return float64(b.Enqueued) }),
	},
	{
		name: "recycling_backlog_age_seconds", kind: gauge, labels: []string{"place", "task"},
		help:   "Age of the oldest enqueued task that is not done.",
		do:     "Compare it with the time that results may take. If it grows although workers are idle, one task fails again and again: look at its state.",
		values: ofBacklogs(func(b observe.Backlog) float64 { return b.Oldest.Seconds() }),
	},
	{
		name: "recycling_backlog_calls", kind: gauge, labels: []string{"place", "task"},
		help:   "Calls that wait for a worker, on all machines together.",
		do:     "If it is not close to zero most of the time, calls will be shed: add machines.",
		values: ofBacklogs(func(b observe.Backlog) float64 { return float64(b.Calls) }),
	},
}
