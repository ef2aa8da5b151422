package pool

type Stats struct {
	Workers, Idle, Busy, Queued, Waiting int
	Done, Panics, Started                uint64
}

func (p *Pool[T]) Stats() Stats {
	p.lock()
	defer p.mu.Unlock()
	return Stats{Workers: p.workers, Idle: len(p.idle), Busy: p.busy, Queued: p.queuedLocked(), Waiting: p.waiters.n, Done: p.taken - uint64(p.front.left()) - uint64(p.busy),
		Panics: p.panics, Started: p.started}
}
