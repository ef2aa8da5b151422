package pool

// Stats is a snapshot of a [Pool].
type Stats struct {
	Workers int  // goroutines of the pool: idle, at work, leading or being woken
	Idle    int  // workers standing by
	Busy    int  // workers at work
	Paused  int  // workers whose job is paused; they count neither in Workers nor in Busy
	Leading bool // a worker is inside Lead
	Queued  int  // jobs waiting for a worker
	// Lent is how many jobs of this pool the workers of other pools of the group have taken, minus
	// the jobs of other pools that this pool's workers have taken.
	Lent    int
	Waiting int // calls of Submit that are waiting for room

	Taken   uint64 // jobs that have left the queue, for whatever reason
	Started uint64 // workers started since New; Done/Started is the mean number of jobs per worker
	Done    uint64 // jobs that have ended, in whatever way
	Panics  uint64 // of those, the ones that panicked
}

// Stats returns the pool's counters at one moment, except that workers may take jobs from the queue
// while it counts.
func (p *Pool[T]) Stats() Stats {
	p.mu.lock()
	defer p.mu.Unlock()
	left := p.front.len()
	return Stats{
		Workers: p.workers,
		Idle:    len(p.idle),
		Busy:    p.busy,
		Paused:  p.paused,
		Leading: p.leading,
		Queued:  p.jobs.len() + left,
		Lent:    p.lent,
		Waiting: p.waiters.n,
		Started: p.started,
		Taken:   p.taken - uint64(left),
		Done:    p.taken - uint64(left+p.busy+p.paused+p.lent),
		Panics:  p.panics,
	}
}
