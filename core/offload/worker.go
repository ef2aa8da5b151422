package offload

import (
	"context"
	"slices"
)

// A worker is the permission to run a task.
type worker struct {
	queue   *waitQueue
	stage   stage // guarded by the pool's mutex, as are the following
	leaving bool  // it ends when it has nothing to do: see Resize
	// lease is for the resource that it owns; nil if it owns nothing. Only the owner of the worker
	// changes it, so the owner may read it without the mutex.
	lease *lease
	// before is the lease that it had when it began to restart, until that succeeds; nil if there
	// was none.
	before *lease
	// renewing says that it restarts though its resource has not failed.
	renewing bool

	// ctx ends when the worker need not be restarted any more; nil without a supervisor.
	ctx    context.Context
	cancel context.CancelFunc
	// tries counts the attempts to build its resource since it last completed a task. The owner of
	// the worker owns it.
	tries int
}

// A stage says what a worker is doing.
type stage uint8

const (
	idle       stage = iota // on the stack of its queue
	working                 // owned by a call
	restarting              // owned by the supervisor, which opens, replaces or closes its resource
	ended
)

func (p *pool) setStageLocked(w *worker, to stage) {
	p.staged[w.stage]--
	p.staged[to]++
	w.stage = to
}

// addWorkerLocked returns a new worker, in stage restarting.
func (p *pool) addWorkerLocked() *worker {
	w := &worker{stage: restarting}
	if len(p.queues) == 0 || p.c.Policy == RoundRobin {
		p.queues = append(p.queues, &waitQueue{})
	}
	w.queue = p.queues[len(p.queues)-1]
	if p.supervisor != nil {
		w.ctx, w.cancel = context.WithCancel(p.restartCtx)
	}
	p.staged[restarting]++
	p.workers = append(p.workers, w)
	return w
}

// free finds something to do for w, which is new or was restarted.
func (p *pool) free(w *worker) {
	p.mu.Lock()
	p.restartedLocked(w, true)
	f := p.freeLocked(w)
	p.renewLocked()
	p.unlock(f)
}

// freeLocked finds something to do for w. The caller must pass the result to begin.
func (p *pool) freeLocked(w *worker) func() {
	if p.leaving > 0 && p.leavesLocked(w) {
		return p.dismissLocked(w)
	}
	if l := w.lease; l != nil && (l.broken || l.isWorn() && p.exchangeLocked(w)) {
		p.setStageLocked(w, restarting)
		w.before = l
		return func() { p.supervisor.restart(w) }
	}
	if len(p.slots) == 0 {
		if c := p.firstLocked(w.queue); c != nil {
			p.dequeueLocked(c)
			return p.giveLocked(c, w)
		}
	}
	if waiting := w.queue.waiting > 0; waiting || p.state == open {
		p.recheck = p.recheck || waiting // who is next may depend on other queues, because of slots
		p.setStageLocked(w, idle)
		w.queue.idle = append(w.queue.idle, w)
		return nil
	}
	return p.dismissLocked(w)
}

// reassignLocked finds something to do for w, which is idle.
func (p *pool) reassignLocked(w *worker) {
	w.queue.removeIdle(w)
	p.laterLocked(p.freeLocked(w))
}

// dismissLocked ends w, which has nothing to do any more. The caller must pass the result to begin.
func (p *pool) dismissLocked(w *worker) func() {
	if p.supervisor != nil {
		p.setStageLocked(w, restarting)
		w.lease.settleLocked()
		return func() { p.supervisor.end(w) }
	}
	p.endLocked(w)
	return nil
}

// end ends w, which no longer owns a resource.
func (p *pool) end(w *worker) {
	p.mu.Lock()
	p.endLocked(w)
	p.unlock(nil)
}

func (p *pool) endLocked(w *worker) {
	p.restartedLocked(w, false)
	p.setStageLocked(w, ended)
	i := slices.Index(p.workers, w)
	p.workers = slices.Delete(p.workers, i, i+1)
	if w.cancel != nil {
		w.cancel()
	}
	if p.state == open {
		p.tasks.Resize(max(len(p.workers), 1))
	}
	if w.leaving {
		p.leaving--
		p.eventLocked(Event{Kind: WorkerRemoved})
	}
	p.renewLocked()
	p.endedLocked()
}
