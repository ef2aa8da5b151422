package pool

import "runtime/debug"

// A worker is a goroutine and its Work. Its fields are its own, but for what is said.
type worker[T any] struct {
	pool  *Pool[T]
	work  func(T) // nil before the first job and after a panic
	front *front[T]
	stage stage

	// wake holds the token of who took the worker off the idle stack, or it is empty. Capacity one:
	// nobody but that one sends, so sending never blocks.
	wake chan struct{}

	// Guarded by pool.mu.
	called    bool // it is the one that Pool.coming speaks of
	dismissed bool // it is surplus: it ends if there is nothing to do
	arrived   bool // its goroutine has been started
}

// A stage says what a worker's goroutine is doing, for the deferred function that
// has to clean up when the goroutine does not come back from it.
type stage int

const (
	managing stage = iota // our own code; the mutex may be held
	working               // inside Work, or between two jobs taken without the mutex
	leading               // inside Lead
	ended                 // accounted for
)

// come sends for a worker that callLocked returned. The mutex must not be held.
func (w *worker[T]) come() {
	switch {
	case w == nil:
	case w.arrived:
		w.wake <- struct{}{}
	default:
		w.arrived = true
		go w.run()
	}
}

// run is a worker's goroutine.
func (w *worker[T]) run() {
	defer w.exit()
	for w.serve() {
	}
}

// serve does one job after the other until the worker ends, or a job panics: then it
// reports true, and wants to be called again. Recovering here and not at each job
// saves a deferred call per job.
func (w *worker[T]) serve() (again bool) {
	p := w.pool
	defer func() {
		if w.stage == working { // a panic of Lead, or of our own, is not ours to recover
			if v := recover(); v != nil {
				w.panicked(v)
				again = true
			}
		}
	}()
	retire := p.c.Retire
	for {
		job, ok := w.next()
		if !ok {
			return false
		}
		w.stage = working
		if w.work == nil {
			w.work = p.c.New()
		}
		work, f := w.work, w.front
		for ok {
			work(job)
			if retire != nil && retire() {
				w.retire()
				return false
			}
			if f == nil || p.attend.Load() {
				break
			}
			job, ok = f.take()
		}
	}
}

// take takes the next job without the mutex, if it may.
func (w *worker[T]) take() (job T, ok bool) {
	if w.front == nil || w.pool.attend.Load() {
		return job, false
	}
	return w.front.take()
}

// next returns the job that w does next, after leading or standing by until there is one.
// It reports false when w has ended.
func (w *worker[T]) next() (job T, ok bool) {
	p := w.pool
	p.lock()
	in := w.doneLocked()
	for {
		if w.called {
			w.called = false
			p.coming = false
		}
		if job, ok = p.pickLocked(w); ok {
			w.dismissed = false
			break
		}
		if p.mayLeadLocked() {
			w.dismissed = false
			p.leading = true
			p.mu.Unlock()
			in.come()
			in = nil
			w.lead()
			p.lock()
			continue
		}
		if p.state != open || w.dismissed {
			w.endLocked()
			break
		}
		p.idle = append(p.idle, w)
		p.trimLaterLocked()
		p.mu.Unlock()
		in.come()
		in = nil
		<-w.wake
		p.lock()
	}
	call := p.callLocked()
	p.mu.Unlock()
	in.come()
	call.come()
	return job, ok
}

// lead is w's turn to wait for work on behalf of everybody.
func (w *worker[T]) lead() {
	p := w.pool
	w.stage = leading
	batch, err := p.c.Lead(p.batch[:0])
	w.stage = managing
	p.lock()
	defer p.mu.Unlock()
	p.leading = false
	p.led = err != nil
	for _, job := range batch {
		p.jobs.push(job)
	}
	clear(batch)
	p.batch = batch
}

// useLocked makes w a user of f.
func (w *worker[T]) useLocked(f *front[T]) {
	w.front = f
	f.users++
}

// doneLocked takes w out of Work, if it was in it, and returns who may be let in for that.
func (w *worker[T]) doneLocked() *waiter[T] {
	if w.stage != working {
		return nil
	}
	p := w.pool
	w.stage = managing
	p.busy--
	if f := w.front; f != nil {
		w.front = nil
		f.users--
		if f.users == 0 && f != p.front {
			f.spare, p.spare = p.spare, f
		}
	}
	return p.admitLocked()
}

// endLocked takes w out of the pool. The last one of a pool that has been stopped says so.
func (w *worker[T]) endLocked() {
	p := w.pool
	w.stage = ended
	p.workers--
	if p.workers == 0 && p.state != open && (p.state == closed || p.queuedLocked() == 0) {
		p.endLocked()
	}
}

// retire ends w after a job, at the wish of Config.Retire or because its goroutine ends.
func (w *worker[T]) retire() {
	p := w.pool
	p.lock()
	in := w.doneLocked()
	if w.stage == leading {
		p.leading = false
		p.led = true
	}
	w.endLocked()
	call := p.callLocked()
	p.mu.Unlock()
	in.come()
	call.come()
}

// exit is deferred by run: it cleans up if the goroutine ends in code that is not ours.
func (w *worker[T]) exit() {
	switch w.stage {
	case ended, managing: // managing: one of our own panics is passing, and the mutex may be held
	case working, leading: // runtime.Goexit, or a panic that is going to end the program
		w.retire()
	}
}

func (w *worker[T]) panicked(v any) {
	p := w.pool
	w.work = nil
	p.lock()
	p.panics++
	p.mu.Unlock()
	p.c.Panic(v, debug.Stack())
}
