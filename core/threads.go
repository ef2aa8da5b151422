package recycling

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/alitto/pond/v2"
	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
)

// Threads is the crew of strategy Pool: a fixed number of workers, each of which keeps a connection until that
// ends.
type threads struct {
	set     *park.Set
	tasks   pond.Pool
	scratch sync.Pool // of *http1.Worker
	shed    atomic.Int64
}

func newThreads(f *fleet, _ bool) ([]crew, error) {
	set, err := park.NewSet(f.parkConfig(false))
	if err != nil {
		return nil, fmt.Errorf("recycling: %w", err)
	}
	room := f.set.Queue
	if room == 0 {
		room = pond.Unbounded
	}
	t := &threads{set: set, tasks: pond.NewPool(f.set.Workers, pond.WithQueueSize(room), pond.WithoutPanicRecovery())}
	t.scratch.New = func() any { return http1.NewWorker(f.http) }
	return []crew{t}, nil
}

func (t *threads) conns() *park.Set { return t.set }

// push is offer: a connection that has a worker keeps it, so that there are only new ones.
func (t *threads) push(c *park.Conn) { t.offer(c) }

func (t *threads) offer(c *park.Conn) {
	_, ok := t.tasks.TrySubmit(func() {
		w := t.scratch.Get().(*http1.Worker)
		w.Serve(c.Owner.(*http1.Conn))
		t.scratch.Put(w)
	})
	if !ok {
		t.shed.Add(1)
		c.Owner.(*http1.Conn).Shed()
	}
}

func (t *threads) end() []*park.Conn {
	t.tasks.Stop()
	return nil
}

func (t *threads) stats(s *Stats) {
	n := int(t.tasks.RunningWorkers()) // pond keeps none that has nothing to do
	s.Workers += n
	s.Busy += n
	s.Queued += int64(t.tasks.WaitingTasks())
	s.ShedQueue += t.shed.Load()
}
