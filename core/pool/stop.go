package pool

import (
	"context"
	"fmt"
)

func (p *Pool[T]) Done() <-chan struct{} { return p.done }

func (p *Pool[T]) Shutdown(ctx context.Context) error {
	p.lock()
	p.setStateLocked(draining)
	p.mu.Unlock()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	s := p.Stats()
	return fmt.Errorf("pool: %d jobs queued and %d at work: %w", s.Queued, s.Busy, ctx.Err())
}

func (p *Pool[T]) Close() []T {
	p.lock()
	defer p.mu.Unlock()
	p.setStateLocked(closed)
	var left []T
	if f := p.front; f != nil {
		left = append(left, f.seize()...)
	}
	for p.jobs.len() > 0 {
		left = append(left, p.jobs.pop())
	}
	return left
}
func (f *front[T]) seize() []T {
	i := min(f.turn.next.Swap(f.turn.size), f.turn.size)
	jobs := append([]T(nil), f.jobs[i:f.turn.size]...)
	clear(f.jobs[i:f.turn.size])
	return jobs
}
