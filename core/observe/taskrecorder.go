package observe

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// MaxTasks is how many combinations of place and task a [TaskRecorder] tells apart. Calls of
// further ones are counted for the place and the task [OtherTasks].
const MaxTasks = 256

// OtherTasks stands for all places and tasks beyond MaxTasks.
const OtherTasks = "(other tasks)"

// A TaskRecorder is a [TaskObserver] that counts calls by place, task and result, and keeps
// histograms of their times. Create it with [NewTaskRecorder]. All methods may be called
// concurrently.
//
// For every four processors, it takes about 5 kilobytes for each combination of place and task.
type TaskRecorder struct {
	stripes int
	series  table[taskKey, taskSeries]

	mu       sync.Mutex // guards following
	places   map[string]func() PlaceStats
	backlogs map[string]*backlogReader
}

type taskKey struct{ place, task string }

type taskSeries struct {
	queued, running *histogram
	results         [numTaskResults]atomic.Uint64
	retries         atomic.Uint64
}

// NewTaskRecorder returns a TaskRecorder that has recorded nothing.
func NewTaskRecorder() *TaskRecorder {
	return &TaskRecorder{stripes: numStripes(), places: map[string]func() PlaceStats{}, backlogs: map[string]*backlogReader{}}
}

// TaskEnd implements [TaskObserver].
func (rec *TaskRecorder) TaskEnd(c TaskCall) {
	k := taskKey{c.Place, c.Task}
	s := rec.series.get(k)
	if s == nil {
		s = rec.series.add(k, MaxTasks, taskKey{OtherTasks, OtherTasks}, func() *taskSeries {
			return &taskSeries{queued: newHistogram(rec.stripes), running: newHistogram(rec.stripes)}
		})
	}
	hint := uintptr(rand.Uint32())
	s.queued.add(c.Queued, hint)
	if c.Running > 0 {
		s.running.add(c.Running, hint)
	}
	if c.Result < numTaskResults {
		s.results[c.Result].Add(1)
	}
	if c.Retries > 0 {
		s.retries.Add(uint64(c.Retries))
	}
}

// AddPlace makes Places return what read returns, under the name of a place. Observe of package
// core/offload/task calls it. If there is a place of this name already, it is replaced.
func (rec *TaskRecorder) AddPlace(name string, read func() PlaceStats) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.places[name] = read
}

// Places returns the present state of each place that AddPlace was given, by name.
func (rec *TaskRecorder) Places() map[string]PlaceStats {
	rec.mu.Lock()
	places := maps.Clone(rec.places)
	rec.mu.Unlock()
	list := make(map[string]PlaceStats, len(places))
	for name, read := range places {
		list[name] = read()
	}
	return list
}

// A TaskStats holds the calls of one task at one place.
type TaskStats struct {
	Place, Task string

	Queued  Distribution // see TaskCall.Queued
	Running Distribution // see TaskCall.Running; calls whose task did not begin are left out

	Results map[TaskResult]uint64 // calls by result; it has all results
	Retries uint64
}

// Tasks returns what has been recorded, ordered by place and task.
func (rec *TaskRecorder) Tasks() []TaskStats {
	all := rec.series.read()
	list := make([]TaskStats, 0, len(all))
	for k, s := range all {
		t := TaskStats{Place: k.place, Task: k.task, Queued: s.queued.read(), Running: s.running.read(), Retries: s.retries.Load()}
		t.Results = make(map[TaskResult]uint64, numTaskResults)
		for i := range s.results {
			t.Results[TaskResult(i)] = s.results[i].Load()
		}
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b TaskStats) int {
		return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Task, b.Task))
	})
	return list
}
