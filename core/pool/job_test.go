package pool_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

// A task is a job that carries a context.
type task struct {
	ctx  context.Context
	name string
}

func (t task) context() context.Context { return t.ctx }

func TestJobWhoseContextHasEndedIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var began, skipped []string
		p := newPool(t, pool.Config[task]{
			Max:     1,
			Work:    func(job task) { began = append(began, job.name); <-let },
			Context: task.context,
			Skip: func(job task, err error) {
				if err != job.ctx.Err() {
					t.Errorf("%s was skipped with error %v, want its context's, which is %v", job.name, err, job.ctx.Err())
				}
				skipped = append(skipped, job.name)
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		late, cancelLate := context.WithTimeout(t.Context(), time.Minute)
		defer cancelLate()
		submit(t, p, task{ctx, "at work"}, task{ctx, "cancelled"}, task{nil, "none"}, task{late, "late"}, task{t.Context(), "in time"})
		synctest.Wait()
		cancel()
		time.Sleep(2 * time.Minute)
		close(let)
		shutdown(t, p)
		if want := []string{"at work", "none", "in time"}; !slices.Equal(began, want) {
			t.Errorf("jobs %q have begun, want %q", began, want)
		}
		if want := []string{"cancelled", "late"}; !slices.Equal(skipped, want) {
			t.Errorf("jobs %q were skipped, want %q", skipped, want)
		}
		if s := p.Stats(); s.Done != 5 || s.Skipped != 2 {
			t.Errorf("%+v, want 5 jobs done, 2 of them skipped", s)
		}
	})
}

func TestPanicInContextOrSkipEndsOnlyItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := 0
		p := newPool(t, pool.Config[task]{
			Max:  1,
			Work: func(task) { done++ },
			Context: func(job task) context.Context {
				if job.ctx == nil {
					panic(job.name)
				}
				return job.ctx
			},
			Skip:  func(job task, _ error) { panic(job.name) },
			Panic: func(any, []byte) {},
		})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		submit(t, p, task{nil, "in Context"}, task{ended, "in Skip"}, task{t.Context(), "fine"})
		shutdown(t, p)
		if s := p.Stats(); done != 1 || s.Panics != 2 || s.Skipped != 1 || s.Done != 3 {
			t.Errorf("%d jobs reached Work, and %+v, want 1, 2 that panicked, one of them skipped", done, s)
		}
	})
}

// A meter implements Metrics. Its pool has one worker, and the test waits for that before it reads
// the meter.
type meter struct {
	took    []time.Duration
	skipped []error
	refused []error
}

func (m *meter) JobDone(took time.Duration) { m.took = append(m.took, took) }
func (m *meter) JobSkipped(err error)       { m.skipped = append(m.skipped, err) }
func (m *meter) JobRefused(err error)       { m.refused = append(m.refused, err) }

func TestMetricsAreToldOfEveryJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m meter
		p := newPool(t, pool.Config[task]{
			Max:     1,
			Queue:   4,
			Context: task.context,
			Metrics: &m,
			Panic:   func(any, []byte) {},
			Work: func(job task) {
				time.Sleep(time.Duration(len(job.name)) * time.Second)
				switch job.name {
				case "panic":
					panic(job.name)
				case "goexit":
					runtime.Goexit()
				}
			},
		})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		submit(t, p, task{nil, "one"}, task{nil, "panic"}, task{ended, "ended"}, task{nil, "goexit"}, task{nil, "four"})
		p.TrySubmit(task{nil, "shed"})
		p.Submit(ended, task{nil, "given up"})
		p.SubmitAll(ended, make([]task, 3))
		shutdown(t, p)
		p.TrySubmit(task{nil, "too late"})
		if want := []time.Duration{3e9, 5e9, 6e9, 4e9}; !slices.Equal(m.took, want) {
			t.Errorf("jobs took %v, want %v", m.took, want)
		}
		if want := []error{context.Canceled}; !slices.Equal(m.skipped, want) {
			t.Errorf("skipped: %v, want %v", m.skipped, want)
		}
		if want := []error{pool.ErrFull, context.Canceled, context.Canceled, pool.ErrClosed}; !slices.Equal(m.refused, want) {
			t.Errorf("refused: %v, want %v", m.refused, want)
		}
		if s := p.Stats(); s.Done != 5 || s.Skipped != 1 || s.Panics != 1 || s.Refused != 4 {
			t.Errorf("%+v, want the same", s)
		}
	})
}

func TestSubmitAllQueuesInOrder(t *testing.T) {
	for _, queue := range []int{0, 1, 7, 500} {
		synctest.Test(t, func(t *testing.T) {
			const jobs = 5*pool.FrontSize + 3
			var began []int
			p := newPool(t, pool.Config[int]{Max: 1, Queue: queue, Work: func(job int) { began = append(began, job) }})
			if n, err := p.SubmitAll(t.Context(), numbers(0, jobs)); n != jobs || err != nil {
				t.Errorf("SubmitAll: %d, %v, want %d, nil", n, err, jobs)
			}
			if n, err := p.SubmitAll(t.Context(), nil); n != 0 || err != nil {
				t.Errorf("SubmitAll of none: %d, %v, want 0, nil", n, err)
			}
			shutdown(t, p)
			if !slices.Equal(began, numbers(0, jobs)) {
				t.Errorf("with Queue %d, jobs began in the order %v", queue, began)
			}
		})
	}
}

func TestSubmitAllSaysHowManyWereQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 2, Queue: 3})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if n, err := p.SubmitAll(ctx, numbers(0, 9)); n != 5 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("SubmitAll: %d, %v, want 5 and ctx's error", n, err)
		}
		h.expect(t, 0, 1)
		rest := make(chan int)
		go func() {
			n, _ := p.SubmitAll(context.Background(), numbers(5, 20))
			rest <- n
		}()
		h.letGo(4)
		h.expect(t, 2, 3, 4, 5)
		jobs := p.Close()
		if n := <-rest; n != 4 || !slices.Equal(jobs, []int{6, 7, 8}) {
			t.Errorf("SubmitAll queued %d, and %v did not run, want 4, of which 6 to 8 did not", n, jobs)
		}
		h.letGo(2)
	})
}
