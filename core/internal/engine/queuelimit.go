package engine

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/observe"
)

// A queueLimiter bounds how many connections wait for a recycled worker, and for how long. Each
// shard has a queue of its own, in its pool.
type queueLimiter struct {
	engine      *Engine
	workers     int64         // maximum number of connections that are served
	maxAdmitted int64         // maximum number of connections that are served or waiting
	wait        time.Duration // maximum time to wait; zero: no limit

	shed atomic.Int64

	// admitted counts connections that are being served or wait for a worker, from when they were
	// admitted until their worker is done with them. If it exceeds workers, some are waiting.
	admitted atomic.Int64

	mu    sync.Mutex // guards the following, and the marks of the shards
	timer *time.Timer
	armed bool
}

func newQueueLimiter(e *Engine) *queueLimiter {
	l := &queueLimiter{engine: e, workers: int64(e.config.workers()), wait: e.config.QueueWait, maxAdmitted: math.MaxInt64}
	if e.config.Queue > 0 {
		l.maxAdmitted = l.workers + min(int64(e.config.Queue), math.MaxInt64-l.workers)
	}
	return l
}

// crowded reports whether connections wait for a worker.
func (l *queueLimiter) crowded() bool { return l.admitted.Load() > l.workers }

// admit refuses connections for which the queue has no room, from the end of batch, and returns the
// others. free is the number of workers that are about to become idle.
func (l *queueLimiter) admit(batch []*park.Conn, free int) []*park.Conn {
	if len(batch) == 0 {
		return batch
	}
	admitted := l.admitted.Add(int64(len(batch))) - int64(free)
	if admitted <= l.workers {
		return batch
	}
	free += int(l.engine.stayers.leave())
	if admitted = l.admitted.Load() - int64(free); admitted <= l.workers {
		// A stayer that has got a request does not leave. Then one of batch may have to wait.
		if l.wait > 0 {
			l.startTimer()
		}
		return batch
	}
	if l.engine.http.Limits.HealthPath != "" {
		n := len(batch)
		batch = takeHealthChecks(batch)
		admitted = l.admitted.Add(-int64(n-len(batch))) - int64(free)
		if len(batch) == 0 {
			return batch
		}
	}
	in := batch
	if over := min(admitted-l.maxAdmitted, int64(len(batch))); over > 0 {
		l.admitted.Add(-over)
		in = batch[:len(batch)-int(over)]
		for _, c := range batch[len(in):] {
			l.refuse(c, observe.MaxQueue)
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

// done removes n connections that were admitted, and have been served or will not be.
func (l *queueLimiter) done(n int) { l.admitted.Add(-int64(n)) }

func (l *queueLimiter) refuse(c *park.Conn, why observe.Reason) {
	l.engine.limiter.dropUnadmitted(httpConn(c))
	if httpConn(c).ShedRequest() {
		l.shed.Add(1)
		httpConn(c).Observe(observe.Refused, why)
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
			l.done(1)
			l.refuse(c, observe.QueueWait)
		}
	}
}
