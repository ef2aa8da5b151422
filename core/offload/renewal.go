package offload

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// errRestart is the reason for replacing a resource by Restart.
var errRestart = errors.New("offload: Restart was called")

// A renewal is the replacing of resources that are worn: that have not failed, but are too old, too
// large, or to be replaced by command. A worn resource stays in use until its successor is ready:
//
//	replace (a goroutine)                          the worker
//	builds a spare, offers it      ──────────►     takes it when it is free, which may be at once,
//	closes the old resource        ◄──────────     and goes on
//
// So the number of workers that can run tasks stays the same. With ResourceConfig.CloseFirst there
// are no spares: a worker restarts as if its resource had failed.
type renewal struct {
	closeFirst bool
	limit      int // how many may be replaced at the same time

	// The following are guarded by the pool's mutex.
	running int      // goroutines of replace; with closeFirst always zero
	active  int      // workers that are renewing; without closeFirst always zero
	spares  []*spare // that wait for a worker
	round   uint64   // calls of Restart: what was built before one is not used after it
}

// A spare is a resource that waits for a worker whose own is worn.
type spare struct {
	lease *lease
	taken chan *lease // is sent the lease of the replaced resource, or nil if none is worn any more
}

// wornLocked counts the resources that are to be replaced, and are not yet being replaced with
// closeFirst.
func (p *pool) wornLocked() (n int) {
	if p.state != open {
		return 0
	}
	for _, w := range p.workers {
		if l := w.lease; l != nil && l.isWorn() && !l.broken && !w.leaving && w.stage != restarting {
			n++
		}
	}
	return n
}

// renewLocked adjusts the renewal to the number of worn resources. Code that changes that number
// must call it.
func (p *pool) renewLocked() {
	r := &p.renewal
	if p.supervisor == nil {
		return
	}
	worn := p.wornLocked()
	if r.closeFirst {
		for worn > 0 && r.active < r.limit {
			if !p.reassignWornLocked() {
				return // those at work are renewed when they are free
			}
			worn--
		}
		return
	}
	for len(r.spares) > worn {
		p.refuseSpareLocked(r.spares[0])
	}
	for _, s := range slices.Clone(r.spares) {
		if !s.lease.isGood() {
			p.refuseSpareLocked(s)
		}
	}
	for r.running < min(worn, r.limit) {
		r.running++
		go p.supervisor.replace()
	}
}

// reassignWornLocked has an idle worker whose resource is worn restart or take a spare, if there is
// such a worker.
func (p *pool) reassignWornLocked() (ok bool) {
	i := slices.IndexFunc(p.workers, func(w *worker) bool { return w.stage == idle && w.lease.isWorn() })
	if i >= 0 {
		p.reassignLocked(p.workers[i])
	}
	return i >= 0
}

// refuseSpareLocked sends s back to replace.
func (p *pool) refuseSpareLocked(s *spare) {
	r := &p.renewal
	i := slices.Index(r.spares, s)
	r.spares = slices.Delete(r.spares, i, i+1)
	s.taken <- nil
}

// exchangeLocked is called when w, whose resource is worn, has nothing to do. If there is a spare,
// w gets that. It reports whether w has to restart instead.
func (p *pool) exchangeLocked(w *worker) (restart bool) {
	r := &p.renewal
	switch {
	case p.state != open:
	case r.closeFirst && r.active < r.limit:
		w.renewing = true
		w.tries = 0 // it has not failed
		r.active++
		return true
	case len(r.spares) > 0:
		s := r.spares[0]
		r.spares = slices.Delete(r.spares, 0, 1)
		old := w.lease
		old.over = true
		old.settleLocked()
		s.lease.w = w
		w.lease = s.lease
		w.tries = 1
		p.replaced++
		s.taken <- old
		p.renewLocked()
	}
	return false
}

// restartedLocked records that w has restarted if ok, and otherwise that it has ended.
func (p *pool) restartedLocked(w *worker, ok bool) {
	w.before.settleLocked()
	w.before = nil
	if !ok {
		w.lease.settleLocked()
	}
	if w.renewing {
		w.renewing = false
		p.renewal.active--
		if ok {
			p.replaced++
		}
		p.renewLocked()
	}
}

// wanted reports whether a goroutine of replace has anything to do, and returns the current round.
// If there is nothing to do, the goroutine is no longer counted, and must end.
func (p *pool) wanted() (round uint64, ok bool) {
	p.mu.Lock()
	r := &p.renewal
	ok = r.running <= p.wornLocked()
	if !ok {
		r.running--
		p.endedLocked()
	}
	round = r.round
	p.unlock(nil)
	return round, ok
}

// offer offers l, which was built in a round, to workers whose resource is worn, and returns the
// lease of the resource that l has replaced, or nil if l is not wanted: it is not good, or nothing
// is worn any more.
func (p *pool) offer(l *lease, round uint64) (old *lease, good bool) {
	r := &p.renewal
	p.mu.Lock()
	good = l.isGood()
	if !good || r.round != round || len(r.spares) >= p.wornLocked() {
		p.unlock(nil)
		return nil, good
	}
	s := &spare{lease: l, taken: make(chan *lease, 1)}
	r.spares = append(r.spares, s)
	p.reassignWornLocked()
	p.unlock(nil)
	old = <-s.taken
	p.mu.Lock()
	good = old != nil || l.isGood()
	p.mu.Unlock()
	return old, good
}

// wear records that the resource of l is to be replaced.
func (p *pool) wear(l *lease, why error) {
	p.mu.Lock()
	if !l.over && l.worn == nil {
		l.worn = why
		p.renewLocked()
	}
	p.unlock(nil)
}

// restartAll replaces all resources there are: see Resources.Restart.
func (p *pool) restartAll(ctx context.Context) error {
	leases, err := p.wearAll()
	if err != nil {
		return err
	}
	defer p.forgive(leases)
	for _, l := range leases {
		select {
		case <-l.gone:
		case <-ctx.Done():
			left := slices.DeleteFunc(slices.Clone(leases), (*lease).isSettled)
			return fmt.Errorf("offload: restart: %d of %d resources have not been replaced: %w",
				workersOf(left), workersOf(leases), ctx.Err())
		case <-p.openCtx.Done():
			return p.closed
		}
	}
	return nil
}

// workersOf counts the workers of leases that wearAll returned.
func workersOf(leases []*lease) int {
	same := func(a, b *lease) bool { return a.w == b.w }
	return len(slices.CompactFunc(slices.Clone(leases), same))
}

// wearAll records that all resources are to be replaced, and returns their leases. If a resource is
// being built in place of another one, both count, since the attempt to build it may fail. Workers
// that are to end count too, since they may stay after all. The leases of a worker are adjacent.
func (p *pool) wearAll() (leases []*lease, err error) {
	p.mu.Lock()
	defer func() { p.unlock(nil) }()
	if p.state != open {
		return nil, p.closed
	}
	r := &p.renewal
	r.round++
	for len(r.spares) > 0 {
		p.refuseSpareLocked(r.spares[0])
	}
	for _, w := range p.workers {
		for _, l := range slices.Compact([]*lease{w.before, w.lease}) {
			if l != nil && !l.isSettled() {
				l.asked++
				leases = append(leases, l)
			}
		}
	}
	p.renewLocked()
	return leases, nil
}

// forgive undoes wearAll: resources that have not been replaced stay in use.
func (p *pool) forgive(leases []*lease) {
	p.mu.Lock()
	for _, l := range leases {
		l.asked--
	}
	p.renewLocked()
	p.unlock(nil)
}
