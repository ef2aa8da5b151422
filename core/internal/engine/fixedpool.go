package engine

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/alitto/pond/v2"
	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
)

// A fixedPool is the scheduler with KeepWorkers: a fixed number of workers, each of which keeps a
// connection until it ends.
type fixedPool struct {
	admission
	set     *park.Set
	tasks   pond.Pool
	scratch sync.Pool // of *scratch
	shed    atomic.Int64
}

// A scratch is what a worker needs while it serves a connection.
type scratch struct {
	worker *http1.Worker
	lock   lockCheck
}

func newFixedPool(e *Engine, _ bool) ([]scheduler, error) {
	set, err := park.NewSet(e.parkConfig(false))
	if err != nil {
		return nil, fmt.Errorf("recycling: %w", err)
	}
	room := e.config.Queue
	if room == 0 {
		room = pond.Unbounded
	}
	t := &fixedPool{admission: admission{e}, set: set, tasks: pond.NewPool(e.config.workers(), pond.WithQueueSize(room), pond.WithoutPanicRecovery())}
	t.scratch.New = func() any {
		return &scratch{worker: http1.NewWorker(e.http), lock: lockCheck{watch: &e.threads}}
	}
	return []scheduler{t}, nil
}

func (t *fixedPool) conns() *park.Set { return t.set }

// enqueueAlways is Enqueue: since a connection keeps its worker, only new ones are queued.
func (t *fixedPool) enqueueAlways(c *park.Conn) { t.Enqueue(httpConn(c)) }

// Requeue, Crowded and Reserve are those of a pool in which a connection keeps its worker.
func (t *fixedPool) Requeue(c *http1.Conn)    { t.Enqueue(c) }
func (t *fixedPool) Crowded() bool            { return false }
func (t *fixedPool) Reserve(*http1.Conn) bool { return false }

// StartHandshake is never called: the worker of a connection that does not park does its handshake.
func (t *fixedPool) StartHandshake(c *http1.Conn, hello []byte) { c.Handshake(hello, func() {}) }

func (t *fixedPool) Enqueue(c *http1.Conn) {
	_, ok := t.tasks.TrySubmit(func() {
		s := t.scratch.Get().(*scratch)
		s.worker.Serve(c)
		locked := s.lock.locked()
		t.scratch.Put(s)
		if locked {
			runtime.Goexit() // and the thread with it
		}
	})
	if !ok {
		t.shed.Add(1)
		c.Shed()
	}
}

func (t *fixedPool) end() []*park.Conn {
	t.tasks.Stop()
	return nil
}

func (t *fixedPool) stats(s *Stats) {
	n := int(t.tasks.RunningWorkers()) // pond keeps no idle workers
	s.Workers += n
	s.Busy += n
	s.Queued += int64(t.tasks.WaitingTasks())
	s.ShedQueue += t.shed.Load()
}
