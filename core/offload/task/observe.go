package task

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
)

// Observe returns a [Place] that runs tasks at p, and tells observers about each call. They get
// name as the name of the place: "local", "children", "gpu". Nil observers are left out. If none is
// left, Observe returns p.
//
//	rec := observe.NewTaskRecorder()
//	place := task.Observe(task.Local(pool), "local", rec)
//
// If p has a method Stats that returns an [offload.Stats] or, for groups of workers, a map of them,
// observers with the method AddPlace of an [observe.TaskRecorder] also learn how many calls wait
// and run at p, in all groups together. [Local], [Pools] and the places of package child have it;
// Observe also finds it in a place that it has wrapped before.
//
// The place that Observe returns has no method but Do. Call p's other methods on p.
func Observe(p Place, name string, observers ...observe.TaskObserver) Place {
	o := observed{place: p, name: name}
	for _, observer := range observers {
		if observer == nil {
			continue
		}
		o.observers = append(o.observers, observer)
		adder, ok := observer.(interface {
			AddPlace(string, func() observe.PlaceStats)
		})
		if read := statsOf(p); ok && read != nil {
			adder.AddPlace(name, read)
		}
	}
	if o.observers == nil {
		return p
	}
	return &o
}

// statsOf returns a function that returns the state of p, or nil if p has no method Stats.
func statsOf(p Place) func() observe.PlaceStats {
	switch p := p.(type) {
	case *observed:
		return statsOf(p.place)
	case interface{ Stats() offload.Stats }:
		return func() observe.PlaceStats { return sum(p.Stats()) }
	case interface {
		Stats() map[string]offload.Stats
	}:
		return func() observe.PlaceStats { return sum(slices.Collect(maps.Values(p.Stats()))...) }
	}
	return nil
}

func sum(groups ...offload.Stats) (all observe.PlaceStats) {
	for _, g := range groups {
		all.Queued += g.Queued
		all.Running += g.Running
		all.Idle += g.Idle
	}
	return all
}

// An observed is what Observe returns.
type observed struct {
	place     Place
	name      string
	observers []observe.TaskObserver
}

func (p *observed) Do(ctx context.Context, j *Job) (err error) {
	j.watched.Store(true)
	start, runs := observe.Now(), j.runs.Load()
	panics := true // or Goexit
	defer func() {
		c := observe.TaskCall{Task: j.Name(), Place: p.name, Result: observe.TaskPanicked}
		switch {
		case panics:
		case err == nil:
			c.Result = observe.TaskReturned
		case j.Streams() && j.stream.err() != nil: // what the task made of it does not matter
			c.Result = observe.TaskLeft
		default:
			c.Result = failure(ctx, err)
		}
		now := observe.Now()
		c.Queued = now - start
		if n := j.runs.Load() - runs; n > 0 {
			begun := time.Duration(j.begun.Load())
			c.Queued, c.Running, c.Retries = begun-start, max(now-begun, 1), int(n-1)
		}
		for _, o := range p.observers {
			o.TaskEnd(c)
		}
	}()
	err = p.place.Do(ctx, j)
	panics = false
	return err
}

// failure returns the result of a call that has returned err.
func failure(ctx context.Context, err error) observe.TaskResult {
	var own *Error
	switch {
	case errors.As(err, &own):
		return observe.TaskFailed
	case errors.Is(err, offload.ErrFull):
		return observe.TaskShedFull
	case errors.Is(err, offload.ErrWait):
		return observe.TaskShedWait
	case errors.Is(err, offload.ErrClosed):
		return observe.TaskShedClosed
	case errors.Is(err, ErrLost):
		return observe.TaskLost
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrSlots):
		return observe.TaskRefused
	case errors.Is(err, context.DeadlineExceeded):
		return observe.TaskTimedOut
	case ctx.Err() != nil:
		return observe.TaskLeft
	}
	return observe.TaskFailed
}

// Begin records, for [Observe], that the task begins now. A [Place] must call Begin each time a
// worker takes the job, unless the place calls [Job.Run], which calls Begin. Begin may be called
// after [Place].Do has returned, and by any goroutine.
func (j *Job) Begin() {
	if !j.watched.Load() {
		return
	}
	j.begun.Store(int64(observe.Now()))
	j.runs.Add(1)
}
