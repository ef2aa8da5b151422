package pool

import "runtime/debug"

// A worker is a goroutine that runs jobs. It belongs to its goroutine; the pool only accesses it
// while it is idle, and before the goroutine is started.
type worker[T any] struct {
	pool  *Pool[T]
	work  func(T)   // nil before the first job and after a panic
	front *front[T] // the front that it is a user of, or nil
	stage stage

	// wake is the channel that an idle worker waits on. Whoever removes the worker from the idle
	// stack sends once. Its capacity is one, so that sending never blocks.
	wake chan struct{}

	cpu       int  // index in Config.CPUs. Guarded by pool.mu, and set before it starts
	unit      bool // it holds a unit of Config.Group. Used by its goroutine only
	called    bool // Pool.coming refers to this worker. Guarded by pool.mu
	dismissed bool // surplus: it ends unless there is something to do. Guarded by pool.mu
}

// A stage says what a worker's goroutine is executing, for the deferred functions that clean up if
// it does not return from there.
type stage uint8

const (
	fresh    stage = iota // not started yet
	managing              // the pool's own code, perhaps with the mutex held
	working               // Work, New, Retire or Panic; it counts as busy
	leading               // Lead
	left                  // Work, but it no longer counts: see Config.New
	ended                 // nothing: it no longer counts
)

// come wakes or starts w, which callLocked returned. It does nothing if w is nil. The mutex must
// not be held.
func (w *worker[T]) come() {
	switch {
	case w == nil:
	case w.stage == fresh:
		w.stage = managing
		go w.run()
	default:
		w.wake <- struct{}{}
	}
}

// run is the body of the worker's goroutine.
func (w *worker[T]) run() {
	if cpus := w.pool.c.CPUs; len(cpus) > 0 {
		// New has tried it. If a processor was removed since, the worker still runs: the kernel
		// also lifts the affinity of threads that were already pinned to that processor.
		_ = pin(cpus[w.cpu])
	}
	defer func() {
		switch w.stage {
		case working, leading: // runtime.Goexit, or a panic that ends the program
			w.leave()
		case managing, left, ended:
			// managing: a panic of the pool's own code, perhaps with the mutex held
		default:
			panic("pool: BUG: a worker ran before it was started")
		}
	}()
	for w.serve() {
	}
}

// serve runs one job after another until w has ended. If a job panics it returns true, and must be
// called again: recovering here spares every job a deferred call.
func (w *worker[T]) serve() (again bool) {
	p := w.pool
	defer func() {
		if w.stage != working && w.stage != left {
			return // do not recover a panic of Lead or of the pool's own code
		}
		if v := recover(); v != nil {
			w.panicked(v)
			again = w.stage != left && !w.retired()
		}
	}()
	retire, group := p.c.Retire, p.c.Group != nil
	for {
		job, ok := w.next()
		if !ok {
			return false
		}
		if w.work == nil {
			w.work = p.c.New(w.walkOut)
		}
		work, front := w.work, w.front
		for ok {
			work(job)
			if w.stage == left {
				return false
			}
			if retire != nil && w.retired() {
				return false
			}
			if front == nil || group && p.othersWait() {
				break
			}
			if job, ok = front.take(); ok && p.attend.Load() {
				p.letIn()
			}
		}
	}
}

// panicked reports v, the value that a job panicked with.
func (w *worker[T]) panicked(v any) {
	p := w.pool
	w.work = nil
	p.mu.lock()
	p.panics++
	p.mu.Unlock()
	p.c.Panic(v, debug.Stack())
}

// retired reports whether w has to retire, and ends it if so.
func (w *worker[T]) retired() bool {
	retire := w.pool.c.Retire
	if retire == nil || !retire() {
		return false
	}
	w.leave()
	return true
}

// next puts w to work on the oldest job. Until there is one, w leads or stands by. It returns false
// if w has ended instead.
func (w *worker[T]) next() (job T, ok bool) {
	p := w.pool
	p.mu.lock()
	in := w.doneLocked()
	for {
		if w.called {
			w.called = false
			p.coming = false
		}
		told := false
		if p.c.Group != nil {
			if job, ok, told = w.helpLocked(in); told {
				in = nil
			}
		}
		if !ok {
			job, ok = p.pickLocked(w)
		}
		if ok {
			call := p.callLocked()
			p.mu.Unlock()
			in.come()
			call.come()
			return job, true
		}
		if w.giveBackLocked() {
			if p.state != open { // this pool no longer runs jobs of others
				p.mu.Unlock()
				in.come()
				in = nil
				p.c.Group.passOn()
				p.mu.lock()
			}
			continue
		}
		switch {
		case p.mayLeadLocked():
			w.leadLocked(in)
		case p.state != open || w.dismissed:
			call := w.endLocked()
			p.mu.Unlock()
			in.come()
			call.come()
			return job, false
		default:
			w.standByLocked(in)
		}
		in = nil
	}
}

// leadLocked has w lead, and queues the jobs that Lead returns. It releases the mutex meanwhile,
// and wakes in if that is not nil.
func (w *worker[T]) leadLocked(in *waiter[T]) {
	p := w.pool
	p.leading = true
	w.dismissed = false
	w.stage = leading
	p.mu.Unlock()
	in.come()
	batch, err := p.c.Lead(p.batch[:0])
	p.mu.lock()
	w.stage = managing
	p.leading = false
	p.led = err != nil
	for _, job := range batch {
		p.jobs.push(job)
	}
	clear(batch)
	p.batch = batch
}

// standByLocked keeps w idle until it is woken or dismissed, or the pool is stopped. It releases
// the mutex meanwhile, and wakes in if that is not nil.
func (w *worker[T]) standByLocked(in *waiter[T]) {
	p := w.pool
	p.idle = append(p.idle, w)
	p.trimLaterLocked()
	p.mu.Unlock()
	in.come()
	<-w.wake
	p.mu.lock()
}

// useLocked makes w a user of f.
func (w *worker[T]) useLocked(f *front[T]) {
	w.front = f
	f.users++
}

// doneLocked ends w's work, if it was at work. That makes room: doneLocked returns the Submit that
// is admitted, if any, which the caller must wake with come.
func (w *worker[T]) doneLocked() *waiter[T] {
	if w.stage != working {
		return nil
	}
	p := w.pool
	w.stage = managing
	p.busy--
	if w.front != nil {
		p.dropLocked(w.front)
		w.front = nil
	}
	return p.admitLocked()
}

// endLocked removes w from the pool. It returns the worker that replaces it, if one is needed.
func (w *worker[T]) endLocked() *worker[T] {
	p := w.pool
	w.stage = ended
	p.workers--
	p.displaceLocked(w)
	call := p.callLocked()
	p.finishLocked()
	return call
}

// walkOut is the leave function that Config.New gets.
func (w *worker[T]) walkOut() {
	switch w.stage {
	case working:
		w.leave()
		w.stage = left
	case left:
	default:
		panic("pool: a worker was told to leave, but not by its job")
	}
}

// leave ends w where it is: w retires, or its goroutine ends inside Work or Lead.
func (w *worker[T]) leave() {
	p := w.pool
	p.mu.lock()
	if w.stage == leading {
		p.leading = false
		p.led = true
	}
	in := w.doneLocked()
	wanted := w.giveBackLocked()
	call := w.endLocked()
	p.mu.Unlock()
	in.come()
	call.come()
	if wanted {
		p.c.Group.passOn()
	}
}
