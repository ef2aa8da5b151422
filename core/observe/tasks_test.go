package observe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestTaskRecorderCountsByPlaceTaskAndResult(t *testing.T) {
	rec := NewTaskRecorder()
	rec.TaskEnd(TaskCall{Task: "b", Place: "p", Queued: 10, Running: 100, Retries: 2})
	rec.TaskEnd(TaskCall{Task: "b", Place: "p", Queued: 30, Result: TaskShedWait})
	rec.TaskEnd(TaskCall{Task: "a", Place: "p", Running: 1, Result: TaskLost})
	rec.TaskEnd(TaskCall{Task: "b", Place: "o", Running: 1})
	rec.TaskEnd(TaskCall{Task: "b", Place: "o", Running: 1, Result: numTaskResults}) // from the future
	all := rec.Tasks()
	if len(all) != 3 || all[0].Place != "o" || all[1].Task != "a" || all[2].Task != "b" {
		t.Fatalf("got %+v", all)
	}
	b := all[2]
	if b.Queued.Count != 2 || b.Queued.Sum != 40 || b.Running.Count != 1 || b.Running.Sum != 100 || b.Retries != 2 {
		t.Errorf("got %+v", b)
	}
	for _, s := range all {
		if len(s.Results) != len(TaskResults()) {
			t.Errorf("%s has the results %v", s.Task, s.Results)
		}
	}
	if b.Results[TaskReturned] != 1 || b.Results[TaskShedWait] != 1 || all[1].Results[TaskLost] != 1 || all[0].Results[TaskReturned] != 1 {
		t.Errorf("got %+v", all)
	}
}

func TestTaskResultsHaveDifferentNames(t *testing.T) {
	seen := map[string]bool{"": true, "unknown": true}
	for _, r := range TaskResults() {
		if seen[r.String()] {
			t.Errorf("%d is %q", r, r)
		}
		seen[r.String()] = true
	}
	if numTaskResults.String() != "unknown" {
		t.Errorf("%d is %q", numTaskResults, numTaskResults)
	}
}

func TestTaskSeriesAreBounded(t *testing.T) {
	rec := NewTaskRecorder()
	for i := range MaxTasks + 50 {
		rec.TaskEnd(TaskCall{Task: fmt.Sprint(i), Place: "p"})
	}
	all, others, sum := rec.Tasks(), uint64(0), uint64(0)
	for _, s := range all {
		sum += s.Queued.Count
		if s.Task == OtherTasks && s.Place == OtherTasks {
			others = s.Queued.Count
		}
	}
	if len(all) != MaxTasks+1 || others != 50 || sum != MaxTasks+50 {
		t.Errorf("%d series, %d other calls, %d in all; want %d, 50, %d", len(all), others, sum, MaxTasks+1, MaxTasks+50)
	}
}

func TestPlacesAreReadWhenAsked(t *testing.T) {
	rec := NewTaskRecorder()
	if n := len(rec.Places()); n != 0 {
		t.Errorf("there are %d places", n)
	}
	n := 1
	rec.AddPlace("p", func() PlaceStats {
		rec.AddPlace("q", func() PlaceStats { return PlaceStats{} }) // no lock is held
		return PlaceStats{Queued: n}
	})
	n = 2
	if got := rec.Places()["p"]; got != (PlaceStats{Queued: 2}) {
		t.Errorf("got %+v", got)
	}
	rec.AddPlace("p", func() PlaceStats { return PlaceStats{Idle: 7} })
	if got := rec.Places(); got["p"] != (PlaceStats{Idle: 7}) || len(got) != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestBacklogsAreReadSeldom(t *testing.T) {
	rec := NewTaskRecorder()
	reads := 0
	rec.AddBacklog("p", func(ctx context.Context) ([]Backlog, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("reading has no deadline")
		}
		reads++
		return []Backlog{{Task: "a", Enqueued: reads}}, nil
	})
	for range 3 {
		if got := rec.Backlogs(); len(got["p"]) != 1 || got["p"][0].Enqueued != 1 || reads != 1 {
			t.Errorf("got %+v after %d reads", got, reads)
		}
	}
}

func TestBacklogThatCannotBeReadIsEmpty(t *testing.T) {
	rec := NewTaskRecorder()
	rec.AddBacklog("p", func(ctx context.Context) ([]Backlog, error) {
		return []Backlog{{Task: "a"}}, errors.New("away")
	})
	rec.AddBacklog("q", func(ctx context.Context) ([]Backlog, error) { return []Backlog{{Task: "a"}}, nil })
	if got := rec.Backlogs(); len(got) != 2 || len(got["p"]) != 0 || len(got["q"]) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestOldBacklogsAreReadAgain(t *testing.T) {
	reads := 0
	r := &backlogReader{read: func(context.Context) ([]Backlog, error) { reads++; return nil, nil }}
	r.now()
	r.at -= backlogAge
	r.now()
	if reads != 2 {
		t.Errorf("%d reads, want 2", reads)
	}
}

func TestTaskRecorderMayBeUsedConcurrently(t *testing.T) {
	rec := NewTaskRecorder()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 300 {
				rec.TaskEnd(TaskCall{Task: fmt.Sprint(k % 7), Place: "p", Queued: time.Duration(i), Running: 1, Result: TaskResult(k % 4)})
				if k%100 == 0 {
					rec.AddPlace("p", func() PlaceStats { return PlaceStats{} })
					rec.Tasks()
					rec.Places()
				}
			}
		})
	}
	all.Wait()
	sum := uint64(0)
	for _, s := range rec.Tasks() {
		for _, n := range s.Results {
			sum += n
		}
	}
	if sum != 8*300 {
		t.Errorf("%d calls were counted, want %d", sum, 8*300)
	}
}

func TestTaskRecorderAllocatesNothing(t *testing.T) {
	rec := NewTaskRecorder()
	c := TaskCall{Task: "a", Place: "p", Queued: 1, Running: 1, Retries: 1}
	if n := testing.AllocsPerRun(1000, func() { rec.TaskEnd(c) }); n != 0 {
		t.Errorf("a call allocates %v times", n)
	}
}
