package pool

// tryCPUs returns an error unless workers may be pinned to each of cpus. It tries on a separate
// goroutine, whose thread ends with it.
func tryCPUs(cpus []int) error {
	result := make(chan error)
	go pinToAll(cpus, result)
	return <-result
}

func pinToAll(cpus []int, result chan<- error) {
	for _, cpu := range cpus {
		if err := pin(cpu); err != nil {
			result <- err
			return
		}
	}
	result <- nil
}

// placeLocked chooses the processor of a new worker: the one with the fewest workers.
func (p *Pool[T]) placeLocked(w *worker[T]) {
	if len(p.pinned) == 0 {
		return
	}
	for i, n := range p.pinned {
		if n < p.pinned[w.cpu] {
			w.cpu = i
		}
	}
	p.pinned[w.cpu]++
}

// displaceLocked removes w, which is ending, from its processor.
func (p *Pool[T]) displaceLocked(w *worker[T]) {
	if len(p.pinned) > 0 {
		p.pinned[w.cpu]--
	}
}
