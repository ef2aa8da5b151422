package offload

import (
	"context"
	"fmt"
)

// Shutdown stops the pool when it has done its work: calls that come are shed with [ErrClosed], those that wait still
// get workers, within Config.Wait. It returns nil when the last task has returned and every resource is closed. If ctx ends first
// it returns an error that wraps ctx's and says what is left; the pool goes on with that, and
// Close may end it.
//
// A server should be shut down first: its handlers are the callers. Shutdown must not be called from a task: it would
// wait for itself.
func (p *Pool) Shutdown(ctx context.Context) error {
	p.stop(draining)
	select {
	case <-p.done:
		return nil
	default:
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	s := p.Stats()
	return fmt.Errorf("offload: shutdown: %d calls queued, %d tasks running, %d workers opening or closing their resource: %w",
		s.Queued, s.Running, s.Mending, ctx.Err())
}

// Close stops the pool at once: calls that wait are shed with [ErrClosed]. The contexts of tasks of Do and Use end, whose
// callers get ErrClosed too, unless the task returns first. Close does not wait for tasks to return, which [Pool.Done]
// tells. Handlers that were admitted go on; their contexts are up to their server.
func (p *Pool) Close() {
	p.stop(shut)
	p.force()
}

func (p *Pool) stop(to state) {
	p.mu.Lock()
	begin := p.setStateLocked(to)
	p.mu.Unlock()
	for _, f := range begin {
		p.begin(f)
	}
}

// Done returns a channel that is closed when the pool was stopped, by Shutdown or Close, the last task
// has returned and every resource is closed.
func (p *Pool) Done() <-chan struct{} { return p.done }
