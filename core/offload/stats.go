package offload

import "time"

// Stats is a snapshot of a [Pool], or of [Resources].
type Stats struct {
	Workers int // as set by Config or Resize, without those that Resize is still removing
	Queued  int // calls waiting for a worker
	Running int // workers that run a task or a handler, including abandoned ones
	Idle    int // workers with nothing to do
	// Restarting counts workers whose resource is being built, replaced or closed. It is zero
	// without resources.
	Restarting int

	// The following count since the pool was created. Every call is counted once, when it returns,
	// in Answered, Abandoned, Left, Full, Late or Closed; a successful call of Admit is counted
	// when release is called.
	Done     uint64 // tasks and handlers that have ended, in whatever way
	Answered uint64 // of those, the ones whose caller was still waiting
	// Abandoned counts calls of Do and Use whose context ended while the task ran, or that Close
	// ended.
	Abandoned uint64
	Left      uint64 // calls whose context ended before the task began
	Full      uint64 // shed with ErrFull
	Late      uint64 // shed with ErrWait
	Closed    uint64 // shed with ErrClosed before the task began

	Opened uint64 // resources built
	// Failed counts resources that failed before they were closed, and failed attempts to build
	// one.
	Failed uint64
	// Replaced counts resources that were replaced although they had not failed.
	Replaced uint64

	// Oldest is when the oldest resource that is in use was opened. It is zero without resources.
	Oldest time.Time
}

// Stats returns the pool's counters at one moment.
func (p *Pool) Stats() Stats { return p.stats() }

func (p *pool) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Workers:    p.stayingLocked(),
		Queued:     p.queued,
		Running:    p.staged[working],
		Idle:       p.staged[idle],
		Restarting: p.staged[restarting],
		Done:       p.ran,
		Answered:   p.fated[finished],
		Abandoned:  p.fated[abandoned],
		Left:       p.fated[left],
		Full:       p.fated[tooMany],
		Late:       p.fated[late],
		Closed:     p.fated[refused],
		Opened:     p.opened,
		Failed:     p.failed,
		Replaced:   p.replaced,
		Oldest:     p.oldestLocked(),
	}
}

// Occupied returns how much of each of [Config.Slots] tasks occupy at present. Names whose amount
// in Config.Slots is zero are absent. The caller may change the result.
func (p *Pool) Occupied() Slots { return p.occupied() }

// Occupied is like [Pool.Occupied].
func (s *Resources[R]) Occupied() Slots { return s.pool.occupied() }
