package engine

import (
	"math"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/internal/permits"
)

// A queueLimiter bounds how many connections wait for a recycled worker, and for how long. Each
// shard has a queue of its own, in its pool.
type queueLimiter struct {
	engine  *Engine
	workers int64         // how many connections may be served at the same time
	maxOver int64         // how many may wait
	wait    time.Duration // how long one may wait; zero: no limit

	// A connection takes a permit of room when it is admitted, even if none is free, and returns it
	// when its worker is done with it. While its handler waits, it has none: see turn. There are as
	// many permits as workers. So the debt of room is how many connections wait, plus the number of
	// workers that are at work beyond the limit because handlers have waited: see beyond. The
	// shards write the debt, which they share, only if connections wait.
	room *permits.Set

	mu    sync.Mutex // guards the following, and the marks of the shards
	timer *time.Timer
	armed bool
}

func newQueueLimiter(e *Engine) *queueLimiter {
	l := &queueLimiter{engine: e, workers: int64(e.config.workers()), wait: e.config.QueueWait, maxOver: math.MaxInt64}
	l.room = permits.New(l.workers)
	if e.config.Queue > 0 {
		l.maxOver = int64(e.config.Queue)
	}
	return l
}

// beyond returns how many workers are at work beyond the limit, for a while, because their handlers
// have waited.
func (l *queueLimiter) beyond() int64 { return l.engine.group.Overdrawn() }

// crowded reports whether connections wait for a worker.
func (l *queueLimiter) crowded() bool { return l.room.Debt() > 0 }

// admitted returns how many connections are being served or wait for a worker.
func (l *queueLimiter) admitted() int64 { return l.workers - l.room.Free() + l.room.Debt() }

// add counts n connections of s as admitted. It returns how many wait, or zero if none of the n
// has to wait.
func (l *queueLimiter) add(s *shard, n int) (over int64) { return s.room.Overdraw(int64(n)) }

// done removes n connections of s that were admitted, and have been served or will not be.
func (l *queueLimiter) done(s *shard, n int) { s.room.Put(int64(n)) }

// admit refuses connections of s for which the queue has no room, from the end of batch, and
// returns the others. free is the number of workers that are about to become idle.
func (l *queueLimiter) admit(s *shard, batch []*park.Conn, free int) []*park.Conn {
	if len(batch) == 0 {
		return batch
	}
	over := l.add(s, len(batch)) - int64(free)
	if over <= 0 {
		return batch
	}
	left := l.engine.leaveStays()
	free += int(left)
	if over = min(over-left, l.room.Debt()-int64(free)); over <= 0 {
		// If a stayer has just got a request, it does not leave, and one of batch may have to wait.
		if l.wait > 0 {
			l.startTimer()
		}
		return batch
	}
	if l.engine.http.Limits.HealthPath != "" {
		n := len(batch)
		batch = takeHealthChecks(batch)
		l.done(s, n-len(batch))
		over = min(over, l.room.Debt()-int64(free))
		if len(batch) == 0 {
			return batch
		}
	}
	in := batch
	if over -= l.maxOver; over > 0 {
		over -= l.beyond()
	}
	if n := int(min(over, int64(len(batch)))); n > 0 {
		l.done(s, n)
		in = batch[:len(batch)-n]
		for _, c := range batch[len(in):] {
			l.refuse(c, refusedQueue)
		}
		clear(batch[len(in):])
	}
	if l.wait > 0 {
		l.startTimer()
	}
	return in
}

// takeHealthChecks passes health checks in batch to reserve workers, parks connections that may
// still send one, and returns the others.
func takeHealthChecks(batch []*park.Conn) []*park.Conn {
	rest := batch[:0]
	for _, c := range batch {
		if httpConn(c).TakeHealthCheck() {
			rest = append(rest, c)
		}
	}
	clear(batch[len(rest):])
	return rest
}

func (l *queueLimiter) refuse(c *park.Conn, why reason) {
	l.engine.limiter.dropUnadmitted(httpConn(c))
	if httpConn(c).ShedRequest() {
		l.engine.refused(httpConn(c), why)
	}
}

// waitSteps is the number of steps in which QueueWait is measured.
const waitSteps = 4

// marks are how many connections in all had joined a shard's queue, each time that the timer fired
// in the last QueueWait.
type marks [waitSteps]uint64

// startTimer starts the timer, which keeps firing while connections wait.
func (l *queueLimiter) startTimer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.armed {
		return
	}
	l.armed = true
	for _, s := range l.engine.shards() {
		for i := range s.marks {
			// Connections that wait now will have waited for a step when the timer fires next.
			s.marks[i] = s.workers.Stats().Taken
		}
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(l.wait/waitSteps, l.refuseLate)
	} else {
		l.timer.Reset(l.wait / waitSteps)
	}
}

// refuseLate refuses connections that have waited too long: the queues are first in, first out, so
// every connection that joined before the oldest mark has waited for QueueWait.
func (l *queueLimiter) refuseLate() {
	shards := l.engine.shards()
	late := make([]uint64, len(shards)) // those that joined before have waited too long
	l.mu.Lock()
	for i, s := range shards {
		st := s.workers.Stats()
		late[i] = s.marks[0]
		copy(s.marks[:], s.marks[1:])
		s.marks[waitSteps-1] = st.Taken + uint64(st.Queued)
	}
	l.armed = l.crowded()
	if l.armed {
		l.timer.Reset(l.wait / waitSteps)
	}
	l.mu.Unlock()
	for i, s := range shards {
		for int64(late[i]-s.workers.Stats().Taken) > 0 { // workers take connections meanwhile
			c, ok := s.workers.Pull()
			if !ok {
				break
			}
			l.done(s, 1)
			l.refuse(c, refusedQueueWait)
		}
	}
}
