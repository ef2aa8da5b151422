package pool

// A Control is how a job acts on the worker that runs it. [Config.New] gets one for each Work
// function. Its methods may be called by any goroutine, but only until the job has returned.
type Control struct {
	// Count, if set, is called with -1 when a job ceases to count as being at work because of Leave
	// or Pause, before another job can begin in its place, and with 1 when the job counts again
	// because of Resume. It is not called when a job returns, even if the job is paused. So the
	// caller may have a count of its own that is never behind Stats. Config.New may set Count. It
	// is called with the pool's mutex held: it must not block, panic or call the pool.
	Count func(change int)

	worker controlled
}

// controlled is a worker of any type of job.
type controlled interface {
	leave(count func(int)) bool
	pause(count func(int)) bool
	resume(count func(int)) bool
}

// Leave is for a job that turns into something else, such as a hijacked connection: from now on its
// worker no longer counts, the pool continues as if the job were done, and the goroutine ends when
// the job returns. It reports whether the worker was at work until now: it was not if the job was
// paused or had left already.
func (c *Control) Leave() (worked bool) { return c.worker.leave(c.Count) }

// Pause is for a job that is about to wait for something: until it calls Resume, or returns, its
// worker does not count as being at work, so that another job may run. It reports whether it has
// paused the job. It does nothing if the job is paused already or has left, or if MaxPaused would
// be exceeded.
func (c *Control) Pause() bool { return c.worker.pause(c.Count) }

// Resume ends Pause. It does not wait: if Max workers are at work by now, there is one more for a
// while, and workers that finish a job take no other until there are Max of them again. If it
// waited for one of them, and that one for something that the resumed job holds, such as a mutex,
// neither would ever continue. Resume reports whether it has resumed the job. It does nothing if
// the job is not paused.
func (c *Control) Resume() bool { return c.worker.resume(c.Count) }

func (w *worker[T]) leave(count func(int)) (worked bool) {
	p := w.pool
	p.mu.lock()
	switch w.stage {
	case working:
		if count != nil {
			count(-1)
		}
		w.exitLocked(left)
		return true
	case paused:
		w.stage = left
		p.unpauseLocked()
		p.finishLocked()
	case left:
	default:
		p.mu.Unlock()
		panic("pool: Leave was called outside its job")
	}
	p.mu.Unlock()
	return false
}

func (w *worker[T]) pause(count func(int)) bool {
	p := w.pool
	p.mu.lock()
	if w.stage != working || !p.mayPauseLocked() {
		p.mu.Unlock()
		return false
	}
	if count != nil {
		count(-1)
	}
	w.stage = paused
	p.paused++
	p.workers--
	submitter := w.unworkLocked()
	wanted := w.releaseLocked()
	picked := p.pickWorkerLocked()
	p.mu.Unlock()
	submitter.wake()
	picked.wake()
	if wanted {
		p.c.Group.wakePools()
	}
	return true
}

func (w *worker[T]) resume(count func(int)) bool {
	p := w.pool
	p.mu.lock()
	if w.stage != paused {
		p.mu.Unlock()
		return false
	}
	w.stage = working
	p.workers++
	p.busy++
	if p.c.Group != nil {
		p.permits.Overdraw(1)
		w.permit = true
	} else if p.busy > p.c.Max {
		p.overfull.Store(true)
	}
	p.unpauseLocked() // after Overdraw, so that the job counts all the time
	if count != nil {
		count(1)
	}
	// Overdraw may have held a free permit for a moment, and a pool may have missed it.
	wanted := p.c.Group != nil && p.permitWantedLocked()
	p.mu.Unlock()
	if wanted {
		p.c.Group.wakePools()
	}
	return true
}

// mayPauseLocked reports whether one more job may pause, and counts it in the Group. Jobs that have
// resumed beyond Max need not be looked at: if there are any, a job that pauses takes the place of
// one of them, so that no other begins. So the sum of both never exceeds MaxPaused.
func (p *Pool[T]) mayPauseLocked() bool {
	g := p.c.Group
	if g == nil {
		return p.paused < p.c.MaxPaused
	}
	for {
		n := g.paused.Load()
		if n >= int64(p.c.MaxPaused) {
			return false
		}
		if g.paused.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// unpauseLocked subtracts a job that was paused.
func (p *Pool[T]) unpauseLocked() {
	p.paused--
	if g := p.c.Group; g != nil {
		g.paused.Add(-1)
	}
}

// overdrawn reports whether more than Max workers are at work, because jobs have resumed.
func (p *Pool[T]) overdrawn() bool {
	if p.c.Group != nil {
		return p.permits.Owing()
	}
	return p.overfull.Load()
}
