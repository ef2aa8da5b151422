package status

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/recycling-go/recycling/core/observe"
)

// A watchedTasks is a recorder on a Page, whose mutex guards it.
type watchedTasks struct {
	rec     *observe.TaskRecorder
	samples []*taskSample // oldest first; at most one is older than window
}

// A taskSample holds the totals since the program began, as of one moment. It does not change.
type taskSample struct {
	at    time.Duration // see observe.Now
	tasks map[taskKey]observe.TaskStats
}

type taskKey struct{ place, task string }

func (s *taskSample) taken() time.Duration { return s.at }

// take is like that of a watched.
func (w *watchedTasks) take(now time.Duration) (last, first *taskSample) {
	last = &taskSample{at: now, tasks: map[taskKey]observe.TaskStats{}}
	for _, t := range w.rec.Tasks() {
		last.tasks[taskKey{t.Place, t.Task}] = t
	}
	w.samples, first = slide(w.samples, last, (*taskSample).taken, (*taskSample).share)
	if first == nil {
		first = new(taskSample) // since the program began
	}
	return last, first
}

func (s *taskSample) share(earlier *taskSample) {
	for k, t := range s.tasks {
		e := earlier.tasks[k]
		if e.Queued.Count == t.Queued.Count {
			t.Queued = e.Queued
		}
		if e.Running.Count == t.Running.Count {
			t.Running = e.Running
		}
		s.tasks[k] = t
	}
}

// A tasksReport is about what one recorder has recorded.
type tasksReport struct {
	period

	Places   []placeReport   `json:"places"`
	Tasks    []taskReport    `json:"tasks"`
	Backlogs []backlogReport `json:"backlogs"`
}

type backlogReport struct {
	Place    string        `json:"place"`
	Task     string        `json:"task"`
	Enqueued int           `json:"enqueued"` // tasks that are not done
	Oldest   time.Duration `json:"oldest_ns"`
	Calls    int           `json:"calls"` // that wait for a worker
}

type placeReport struct {
	Name    string `json:"name"`
	Queued  int    `json:"queued"`
	Running int    `json:"running"`
	Idle    int    `json:"idle"`
}

type taskReport struct {
	Place   string    `json:"place"`
	Task    string    `json:"task"`
	recent            // calls that have ended
	Queue   quantiles `json:"queueing_delay"` // of recent calls
	Running quantiles `json:"durations"`      // of recent calls whose task began

	// Recent calls that were shed, that failed in some way, and workers that were lost.
	Shed   uint64 `json:"recent_shed"`
	Failed uint64 `json:"recent_failed"`
	Lost   uint64 `json:"recent_lost"`

	Results map[string]uint64 `json:"results"` // calls by result, in all
	Retries uint64            `json:"retries"` // in all
}

// addTasks adds what recorders have recorded.
func (r *report) addTasks(watched []*watchedTasks) {
	for _, w := range watched {
		last, first := w.take(r.at)
		t := tasksReport{period: periodBetween(first.at, last.at), Places: []placeReport{}, Tasks: []taskReport{}, Backlogs: []backlogReport{}}
		for name, p := range w.rec.Places() {
			t.Places = append(t.Places, placeReport{printable(name), p.Queued, p.Running, p.Idle})
		}
		slices.SortFunc(t.Places, func(a, b placeReport) int { return cmp.Compare(a.Name, b.Name) })
		for k, now := range last.tasks {
			t.Tasks = append(t.Tasks, taskReportOf(now, first.tasks[k], t.period))
		}
		slices.SortFunc(t.Tasks, func(a, b taskReport) int {
			return cmp.Or(cmp.Compare(a.Task, b.Task), cmp.Compare(a.Place, b.Place))
		})
		for name, list := range w.rec.Backlogs() {
			for _, b := range list {
				t.Backlogs = append(t.Backlogs, backlogReport{printable(name), printable(b.Task), b.Enqueued, b.Oldest, b.Calls})
			}
		}
		slices.SortFunc(t.Backlogs, func(a, b backlogReport) int {
			return cmp.Or(cmp.Compare(a.Task, b.Task), cmp.Compare(a.Place, b.Place))
		})
		r.Tasks = append(r.Tasks, t)
	}
}

func taskReportOf(now, before observe.TaskStats, p period) taskReport {
	r := taskReport{
		Place: printable(now.Place), Task: printable(now.Task),
		recent:  p.recent(now.Queued.Count, before.Queued.Count),
		Queue:   quantilesOf(now.Queued.Minus(before.Queued)),
		Running: quantilesOf(now.Running.Minus(before.Running)),
		Lost:    now.Retries - min(before.Retries, now.Retries),
		Results: map[string]uint64{}, Retries: now.Retries,
	}
	for result, n := range now.Results {
		r.Results[result.String()] = n
		n -= min(before.Results[result], n)
		switch result {
		case observe.TaskShedFull, observe.TaskShedWait, observe.TaskShedClosed:
			r.Shed += n
		case observe.TaskFailed, observe.TaskPanicked, observe.TaskTimedOut, observe.TaskRefused:
			r.Failed += n
		case observe.TaskLost:
			r.Lost += n
		}
	}
	return r
}

func (t tasksReport) text(b *bytes.Buffer) {
	fmt.Fprint(b, "\nTasks\n")
	if len(t.Places) > 0 {
		table := newTable(b)
		fmt.Fprint(table, "  queued\t running\t idle\t place\n")
		for _, p := range t.Places {
			fmt.Fprintf(table, "  %s\t %s\t %s\t %s\n", number(p.Queued), number(p.Running), number(p.Idle), p.Name)
		}
		table.Flush()
	}
	if len(t.Backlogs) > 0 {
		table := newTable(b)
		fmt.Fprint(table, "  enqueued\t oldest\t calls\t backlog of, at\n")
		for _, l := range t.Backlogs {
			fmt.Fprintf(table, "  %s\t %s\t %s\t %s, %s\n", number(l.Enqueued), duration(l.Oldest), number(l.Calls), l.Task, l.Place)
		}
		table.Flush()
	}
	if len(t.Tasks) == 0 {
		fmt.Fprint(b, "  No call of a task has ended yet.\n")
		return
	}
	table := newTable(b)
	fmt.Fprint(table, "  per s\t queue p99\t p50\t p99\t shed\t failed\t lost\t total\t task, place\n")
	for _, r := range t.Tasks {
		fmt.Fprintf(table, "  %s\t %s\t %s\t %s\t %s\t %s\t %s\t %s\t %s, %s\n", rate(r.PerSecond), r.Queue.P99Text(), r.Running.P50Text(), r.Running.P99Text(),
			number(r.Shed), number(r.Failed), number(r.Lost), number(r.Total), r.Task, r.Place)
	}
	table.Flush()
	fmt.Fprintf(b, "  All but the total is %s.\n", t.WindowText())
}
