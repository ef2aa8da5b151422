package offload

import (
	"context"
	"fmt"
)

// Shutdown stops the pool gracefully: new calls are shed with [ErrClosed], waiting ones still get
// workers, within Config.Wait. It returns nil when the last task has returned and every resource is
// closed. If ctx ends first it returns an error that wraps ctx's and says what is left; the pool
// continues with that, until Close is called.
//
// Shut down the server first, since its handlers are the callers. Shutdown must not be called from
// a task, since it would wait for itself.
func (p *Pool) Shutdown(ctx context.Context) error { return p.shutdown(ctx) }

func (p *pool) shutdown(ctx context.Context) error {
	p.stopTo(draining)
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
	s := p.stats()
	return fmt.Errorf("offload: shutdown: %d calls queued, %d tasks running, %d workers opening or closing their resource: %w",
		s.Queued, s.Running, s.Restarting, ctx.Err())
}

// Close stops the pool at once: waiting calls are shed with [ErrClosed]. The contexts of tasks of
// Do and Use end, and their callers get ErrClosed too, unless the task returns first. Close does
// not wait for tasks to return; see [Pool.Done]. Admitted handlers continue; their server controls
// their contexts.
func (p *Pool) Close() { p.close() }

func (p *pool) close() {
	p.stopTo(shut)
	p.force()
}

func (p *pool) stopTo(to state) {
	p.mu.Lock()
	p.setStateLocked(to)
	p.unlock(nil)
}

// Done returns a channel that is closed once the pool has been stopped, by Shutdown or Close, the
// last task has returned and every resource is closed.
func (p *Pool) Done() <-chan struct{} { return p.done }
