package pool

import (
	"log"
	"runtime/debug"
)

// A worker is a goroutine that runs jobs. It belongs to its goroutine; the pool only accesses it
// while it is idle, and before the goroutine is started.
type worker[T any] struct {
	// pool is the worker's pool. It changes while the worker is idle, under the mutexes of the
	// former pool and of the new one: see adoptLocked.
	pool *Pool[T]

	work  func(T)        // nil before the first job and after a panic
	front *claimBatch[T] // the one that it is a user of, or nil
	stage workerStage

	// ready is the channel that an idle worker waits on. Whoever removes the worker from the idle
	// stack sends once. Its capacity is one, so that sending never blocks.
	ready chan struct{}

	permit    bool // it holds a permit of Config.Group. Used by its goroutine only
	waking    bool // Pool.waking refers to this worker. Guarded by pool.mu
	dismissed bool // surplus: it ends unless there is something to do. Guarded by pool.mu
}

// A workerStage says what a worker's goroutine is executing, for the deferred functions that clean
// up if it does not return from there.
type workerStage uint8

const (
	fresh    workerStage = iota // not started yet
	managing                    // the pool's own code, perhaps with the mutex held
	working                     // Work or New; it counts as busy
	leading                     // Lead
	paused                      // Work, but it does not count at present: see Control.Pause
	left                        // Work, but it no longer counts: see Control.Leave
	ended                       // nothing: it no longer counts
)

// wake wakes or starts w, which pickWorkerLocked returned. It does nothing if w is nil. The mutex
// must not be held.
func (w *worker[T]) wake() {
	switch {
	case w == nil:
	case w.stage == fresh:
		w.stage = managing
		go w.run()
	default:
		w.ready <- struct{}{}
	}
}

// run is the body of the worker's goroutine.
func (w *worker[T]) run() {
	defer func() {
		switch w.stage {
		case working, leading: // runtime.Goexit, or a panic that ends the program
			w.exit(ended)
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
	defer func() {
		if w.stage == paused {
			w.resume(nil)
		}
		if w.stage != working && w.stage != left {
			return // do not recover a panic of Lead or of the pool's own code
		}
		if v := recover(); v != nil {
			w.panicked(v)
			again = w.stage != left
		}
	}()
	group := w.pool.c.Group != nil
	for {
		job, ok := w.next()
		if !ok {
			return false
		}
		p := w.pool
		if w.work == nil {
			w.work = p.c.New(&Control{worker: w})
		}
		work := w.work
		for ok {
			work(job)
			if w.stage != working && !w.resume(nil) { // it has left
				return false
			}
			front := w.front
			if front == nil || group && p.othersWait() || p.overdrawn() {
				break
			}
			if job, ok = front.take(); ok && p.needsRoom.Load() {
				p.admit()
			}
		}
	}
}

// panicked logs v, the value that a job panicked with.
func (w *worker[T]) panicked(v any) {
	p := w.pool
	w.work = nil
	p.mu.lock()
	p.panics++
	p.mu.Unlock()
	log.Printf("pool: panic in a job: %v\n%s", v, debug.Stack())
}

// next puts w to work on the oldest job. Until there is one, w leads or stands by. It returns false
// if w has ended instead.
func (w *worker[T]) next() (job T, ok bool) {
	p := w.pool
	p.mu.lock()
	submitter := w.doneLocked()
	if w.permit && p.permits.Repay() {
		w.permit = false
	}
	for {
		if w.waking {
			w.waking = false
			p.waking = false
		}
		woken := false
		if p.c.Group != nil {
			if job, ok, woken = w.takeFromOthersLocked(submitter); woken {
				submitter = nil
			}
		}
		if !ok {
			job, ok = p.startJobLocked(w)
		}
		if ok {
			picked := p.pickWorkerLocked()
			p.mu.Unlock()
			submitter.wake()
			picked.wake()
			return job, true
		}
		if w.releaseLocked() {
			if p.state != open { // this pool no longer runs jobs of others
				p.mu.Unlock()
				submitter.wake()
				submitter = nil
				p.c.Group.wakePools()
				p.mu.lock()
			}
			continue
		}
		switch {
		case p.needsLeaderLocked():
			w.leadLocked(submitter)
		case p.state != open || w.dismissed:
			picked := w.endLocked()
			p.mu.Unlock()
			submitter.wake()
			picked.wake()
			return job, false
		default:
			w.standByLocked(submitter)
			p = w.pool
		}
		submitter = nil
	}
}

// leadLocked has w lead, and queues the jobs that Lead returns. It releases the mutex meanwhile,
// and wakes submitter.
func (w *worker[T]) leadLocked(submitter *waiter[T]) {
	p := w.pool
	p.leading = true
	w.dismissed = false
	w.stage = leading
	p.mu.Unlock()
	submitter.wake()
	batch, err := p.c.Lead(p.batch[:0])
	p.mu.lock()
	w.stage = managing
	p.leading = false
	p.leadEnded = err != nil
	for _, job := range batch {
		p.jobs.push(job)
	}
	clear(batch)
	p.batch = batch
}

// standByLocked keeps w idle until it is woken or dismissed, or the pool is stopped. It releases
// the mutex meanwhile, and wakes submitter. Another pool may adopt w meanwhile: then it returns
// with that pool's mutex held.
func (w *worker[T]) standByLocked(submitter *waiter[T]) {
	p := w.pool
	p.idle = append(p.idle, w)
	p.trimLaterLocked()
	p.mu.Unlock()
	submitter.wake()
	<-w.ready
	w.pool.mu.lock()
}

// addUserLocked makes w a user of f.
func (w *worker[T]) addUserLocked(b *claimBatch[T]) {
	w.front = b
	b.users++
}

// doneLocked ends w's work, if it was at work. That makes room: doneLocked returns the Submit that
// is admitted, if any, which the caller must wake.
func (w *worker[T]) doneLocked() *waiter[T] {
	if w.stage != working {
		return nil
	}
	w.stage = managing
	return w.unworkLocked()
}

// unworkLocked is the part of doneLocked that pausing a job has in common with ending it.
func (w *worker[T]) unworkLocked() *waiter[T] {
	p := w.pool
	p.busy--
	if p.busy <= p.c.Max && p.overfull.Load() {
		p.overfull.Store(false)
	}
	if w.front != nil {
		p.removeUserLocked(w.front)
		w.front = nil
	}
	return p.admitLocked()
}

// endLocked removes w from the pool. It returns the worker that replaces it, if one is needed.
func (w *worker[T]) endLocked() *worker[T] {
	p := w.pool
	w.stage = ended
	p.workers--
	picked := p.pickWorkerLocked()
	p.finishLocked()
	return picked
}

// exit ends w where it is: its job has left, or its goroutine ends inside Work or Lead.
func (w *worker[T]) exit(to workerStage) {
	w.pool.mu.lock()
	w.exitLocked(to)
}

// exitLocked is exit, and releases the mutex.
func (w *worker[T]) exitLocked(to workerStage) {
	p := w.pool
	if w.stage == leading {
		p.leading = false
		p.leadEnded = true
	}
	submitter := w.doneLocked()
	wanted := w.releaseLocked()
	picked := w.endLocked()
	w.stage = to
	p.mu.Unlock()
	submitter.wake()
	picked.wake()
	if wanted {
		p.c.Group.wakePools()
	}
}
