package offload

// Stats is a snapshot of a [Pool], or of [Resources].
type Stats struct {
	Queued  int // calls that wait for a worker
	Running int // workers that have a task or a handler, abandoned ones included
	Idle    int // workers that have nothing to do
	Mending int // workers whose resource is being built or closed; never for a Pool without

	// The following count since the beginning. Every call is counted in Answered, or in one of those from Abandoned on,
	// when it returns; Admit when release is called.
	Done      uint64 // tasks and handlers that have ended, in whichever way
	Answered  uint64 // of those, the ones whose caller was there
	Abandoned uint64 // calls of Do and Use whose context ended, or that Close ended, while the task ran
	Left      uint64 // calls whose context ended before the task began
	Full      uint64 // shed with ErrFull
	Late      uint64 // shed with ErrWait
	Closed    uint64 // shed with ErrClosed before the task began

	Opened uint64 // resources that were built
	Failed uint64 // of those, the ones that failed before they were closed; and failed attempts to build one
}

// Stats returns the pool's counters as they are at one moment.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Queued:    p.queued,
		Running:   p.staged[working],
		Idle:      p.staged[idle],
		Mending:   p.staged[mending],
		Done:      p.ran,
		Answered:  p.fated[finished],
		Abandoned: p.fated[abandoned],
		Left:      p.fated[left],
		Full:      p.fated[tooMany],
		Late:      p.fated[late],
		Closed:    p.fated[refused],
		Opened:    p.opened,
		Failed:    p.failed,
	}
}
