package child

import (
	"context"
	"sync"
	"time"
)

// A limit kills a child that continues for too long after the context of its request or task has
// ended. The child of a task is told first that the context has ended.
type limit struct {
	p    *Process
	id   uint64      // of the task
	stop func() bool // from context.AfterFunc

	mu      sync.Mutex // guards following
	lifted  bool
	tell    bool        // the child has a task, and is told when its context ends
	waiting bool        // for the caller's writer, not for the child
	overdue bool        // the grace period has passed meanwhile
	timer   *time.Timer // nil until the context has ended
	struck  bool
}

func (p *Process) limit(ctx context.Context) *limit {
	l := &limit{p: p, id: p.asked}
	l.stop = context.AfterFunc(ctx, l.arm)
	return l
}

// arm is called when the context has ended.
func (l *limit) arm() {
	l.mu.Lock()
	if l.lifted {
		l.mu.Unlock()
		return
	}
	l.timer = time.AfterFunc(l.p.c.Grace, l.strike)
	tell := l.tell
	l.mu.Unlock()
	if tell {
		l.cancel()
	}
}

// sent is called when the child has been sent a task. If the context of the task has ended
// meanwhile, the child is told now. It cannot be told earlier, because a child that does not have
// the task yet drops the frame.
func (l *limit) sent() {
	l.mu.Lock()
	l.tell = true
	armed := l.timer != nil
	l.mu.Unlock()
	if armed {
		l.cancel()
	}
}

// cancel tells the child that the context of its task has ended. If the task has ended too, the
// child drops the frame. If the child does not read, cancel blocks until strike kills it.
func (l *limit) cancel() { l.p.in.send(frame{kind: cancel, id: l.id}) }

// strike is called when the grace period has passed.
func (l *limit) strike() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.lifted:
	case l.waiting:
		l.overdue = true
	default:
		l.struck = true
		l.p.kill()
	}
}

// wait is called before and after a call that may block for long although the child does not hang:
// the time of the call does not count, and a child gets its grace period after it.
func (l *limit) wait(waiting bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = waiting
	if !waiting && l.overdue {
		l.overdue = false
		l.timer.Reset(l.p.c.Grace)
	}
}

// lift ends the limit, and reports whether it has killed the child.
func (l *limit) lift() bool {
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lifted = true
	if l.timer != nil {
		l.timer.Stop()
	}
	return l.struck
}
