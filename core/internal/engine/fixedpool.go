package engine

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/alitto/pond/v2"
	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
)

// A fixedPool is the scheduler with KeepWorkers: a fixed number of workers, each of which keeps a
// connection until it ends.
type fixedPool struct {
	schedulerBase
	set    *park.Set
	tasks  pond.Pool
	states sync.Pool // of *workerState
}

// A workerState is what a worker needs while it serves a connection.
type workerState struct {
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
	p := &fixedPool{schedulerBase: schedulerBase{e}, set: set, tasks: pond.NewPool(e.config.workers(), pond.WithQueueSize(room), pond.WithoutPanicRecovery())}
	p.states.New = func() any {
		return &workerState{worker: http1.NewWorker(e.http), lock: lockCheck{watch: &e.threads}}
	}
	return []scheduler{p}, nil
}

func (p *fixedPool) conns() *park.Set { return p.set }
func (p *fixedPool) shard() uint8     { return 0 }

// enqueueAlways is Enqueue: since a connection keeps its worker, only new ones are queued.
func (p *fixedPool) enqueueAlways(c *park.Conn) { p.Enqueue(httpConn(c)) }

// Requeue, Crowded, Stay and Reserve are those of a pool in which a connection keeps its worker.
func (p *fixedPool) Requeue(c *http1.Conn)    { p.Enqueue(c) }
func (p *fixedPool) Crowded() bool            { return false }
func (p *fixedPool) Stay(*http1.Conn) bool    { return false }
func (p *fixedPool) Stayed(*http1.Conn, bool) {}
func (p *fixedPool) Reserve(*http1.Conn) bool { return false }

// StartHandshake is never called: the worker of a connection that does not park does its handshake.
func (p *fixedPool) StartHandshake(c *http1.Conn, hello []byte) { c.Handshake(hello, func() {}) }

func (p *fixedPool) Enqueue(c *http1.Conn) {
	p.engine.noteReadable(&c.Conn)
	_, ok := p.tasks.TrySubmit(func() {
		s := p.states.Get().(*workerState)
		s.worker.Serve(c)
		locked := s.lock.locked()
		p.states.Put(s)
		if locked {
			runtime.Goexit() // and the thread with it
		}
	})
	if !ok {
		p.engine.refused(c, refusedQueue)
		c.Shed()
	}
}

func (p *fixedPool) end() []*park.Conn {
	p.tasks.Stop()
	return nil
}

func (p *fixedPool) stats(s *Stats) {
	n := int(p.tasks.RunningWorkers()) // pond keeps no idle workers
	s.Workers += n
	s.Busy += n
	s.Queued += int64(p.tasks.WaitingTasks())
}
