package pool

// Stats is a snapshot of a [Pool].
type Stats struct {
	Workers int  // goroutines of the pool: idle, at work, leading or on their way
	Idle    int  // workers that stand by
	Busy    int  // workers at work
	Leading bool // a worker waits inside Lead
	Queued  int  // jobs that wait for a worker
	Waiting int  // calls of Submit that wait for room

	Started uint64 // workers since the beginning; Done/Started is how often one was recycled
	Done    uint64 // jobs that have ended, in whichever way
	Panics  uint64 // of those, the ones that panicked
	Skipped uint64 // of those, the ones that were not begun since their context had ended
	Refused uint64 // calls of Submit, SubmitAll and TrySubmit that returned an error
}

// Stats returns the pool's counters as they are at one moment, except that workers go on taking
// jobs from a backlog meanwhile.
func (p *Pool[T]) Stats() Stats {
	p.mu.lock()
	defer p.mu.Unlock()
	left := p.front.left()
	return Stats{
		Workers: p.workers,
		Idle:    len(p.idle),
		Busy:    p.busy,
		Leading: p.leading,
		Queued:  p.jobs.len() + left,
		Waiting: p.waiters.n,
		Started: p.started,
		Done:    p.taken - uint64(left) - uint64(p.busy),
		Panics:  p.panics,
		Skipped: p.skips.Load(),
		Refused: p.refusals.Load(),
	}
}
