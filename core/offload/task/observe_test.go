package task

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
)

type funcObserver func(observe.TaskCall)

func (f funcObserver) TaskEnd(c observe.TaskCall) { f(c) }

// placeFunc is a Place made of a function.
type placeFunc func(context.Context, *Job) error

func (f placeFunc) Do(ctx context.Context, j *Job) error { return f(ctx, j) }

func TestResultsAreToldApart(t *testing.T) {
	shed := func(reason error) error { return &offload.ShedError{Reason: reason} }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		ctx  context.Context
		end  func() error
		want observe.TaskResult
	}{
		{t.Context(), func() error { return nil }, observe.TaskReturned},
		{t.Context(), func() error { return &Error{} }, observe.TaskFailed},
		{t.Context(), func() error { return &Error{err: shed(offload.ErrFull)} }, observe.TaskFailed}, // of another task
		{t.Context(), func() error { return errors.New("encoding") }, observe.TaskFailed},
		{t.Context(), func() error { return context.Canceled }, observe.TaskFailed}, // by the task itself
		{ended, func() error { return context.Canceled }, observe.TaskLeft},
		{t.Context(), func() error { return context.DeadlineExceeded }, observe.TaskTimedOut},
		{t.Context(), func() error { return shed(offload.ErrFull) }, observe.TaskShedFull},
		{t.Context(), func() error { return shed(offload.ErrWait) }, observe.TaskShedWait},
		{t.Context(), func() error { return shed(offload.ErrClosed) }, observe.TaskShedClosed},
		{t.Context(), func() error { return fmt.Errorf("%w: x", ErrLost) }, observe.TaskLost},
		{t.Context(), func() error { return fmt.Errorf("%w: x", ErrUnknown) }, observe.TaskRefused},
		{t.Context(), func() error { return fmt.Errorf("%w: x", ErrSlots) }, observe.TaskRefused},
		{t.Context(), func() error { panic("x") }, observe.TaskPanicked},
		{t.Context(), func() error { panic(http.ErrAbortHandler) }, observe.TaskPanicked},
		{t.Context(), func() error { runtime.Goexit(); return nil }, observe.TaskPanicked},
	} {
		var got []observe.TaskCall
		p := Observe(placeFunc(func(context.Context, *Job) error { return test.end() }), "p", funcObserver(func(c observe.TaskCall) { got = append(got, c) }))
		want, panicked, exited := finish(func() error { _, err := outcomeTask.Do(test.ctx, p, 1); return err })
		if len(got) != 1 || got[0].Result != test.want || got[0].Task != "task" || got[0].Place != "p" || got[0].Running != 0 {
			t.Errorf("error %v, panic %v, exit %v: the observer got %+v, want %v", want, panicked, exited, got, test.want)
		}
	}
}

func TestTimesBeginWithTheLastRun(t *testing.T) {
	var got observe.TaskCall
	p := Observe(placeFunc(func(_ context.Context, j *Job) error {
		for range 3 {
			before := observe.Now()
			for observe.Now() == before {
			}
			j.Begin()
		}
		return nil
	}), "p", funcObserver(func(c observe.TaskCall) { got = c }))
	outcomeTask.Do(t.Context(), p, 1)
	if got.Retries != 2 || got.Queued < 3 || got.Running <= 0 {
		t.Errorf("the observer got %+v", got)
	}
}

// Every observer is told of what happened at its own place.
func TestObservedPlacesMayBeNested(t *testing.T) {
	var inner, outer []observe.TaskCall
	begins := placeFunc(func(_ context.Context, j *Job) error { j.Begin(); return ErrLost })
	first := Observe(begins, "first", nil, funcObserver(func(c observe.TaskCall) { inner = append(inner, c) }))
	either := placeFunc(func(ctx context.Context, j *Job) error { first.Do(ctx, j); return first.Do(ctx, j) })
	p := Observe(either, "either", funcObserver(func(c observe.TaskCall) { outer = append(outer, c) }))
	outcomeTask.Do(t.Context(), p, 1)
	if len(inner) != 2 || inner[1].Retries != 0 || inner[1].Place != "first" || len(outer) != 1 || outer[0].Retries != 1 || outer[0].Place != "either" {
		t.Errorf("the observers got %+v and %+v", inner, outer)
	}
}

func TestObserveWithoutObserversIsThePlace(t *testing.T) {
	p := local1(t)
	if Observe(p, "p") != p || Observe(p, "p", nil, nil) != p {
		t.Error("Observe has wrapped the place")
	}
}

func TestObserveAddsThePlace(t *testing.T) {
	pool, err := offload.New(offload.Config{Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { pool.Close(); <-pool.Done() }()
	rec := observe.NewTaskRecorder()
	Observe(Local(pool), "p", rec)
	Observe(placeFunc(nil), "without", rec)
	Observe(Observe(Local(pool), "p", rec), "again", rec)
	if got := rec.Places(); len(got) != 2 || got["p"] != (observe.PlaceStats{Idle: 3}) || got["again"] != got["p"] {
		t.Errorf("places are %+v", got)
	}
	_, release, err := pool.Admit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if got := rec.Places()["p"]; got != (observe.PlaceStats{Running: 1, Idle: 2}) {
		t.Errorf("the place is %+v", got)
	}
}

func TestGroupsOfAPlaceAreOne(t *testing.T) {
	var s Set
	Register(&s, "a", nothing, Options{})
	Register(&s, "b", nothing, Options{})
	pools, err := NewPools(t.Context(), &s, PoolConfig{Name: "x", Tasks: []string{"a"}, Config: offload.Config{Workers: 2}}, PoolConfig{Name: "y", Config: offload.Config{Workers: 3}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { pools.Close(); <-pools.Done() }()
	rec := observe.NewTaskRecorder()
	Observe(pools, "p", rec)
	if got := rec.Places(); len(got) != 1 || got["p"] != (observe.PlaceStats{Idle: 5}) {
		t.Errorf("places are %+v", got)
	}
}

// What Observe adds to a call must not allocate.
func TestObservingAllocatesNothing(t *testing.T) {
	p := placeFunc(func(ctx context.Context, j *Job) error { return j.Run(ctx) }) // a pool may start goroutines
	empty := Register(new(Set), "empty", nothing, Options{})
	count := func(p Place) float64 {
		return testing.AllocsPerRun(1000, func() { empty.Do(context.Background(), p, struct{}{}) })
	}
	off, on := count(p), count(Observe(p, "p", observe.NewTaskRecorder()))
	if on != off {
		t.Errorf("a call allocates %v times, and %v times if it is observed", off, on)
	}
}
