package recycling

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"runtime"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/pool"
)

// A gang is the crew of strategy Recycling: workers that take turns at leading an epoll set.
type gang struct {
	set     *park.Set
	workers *pool.Pool[*park.Conn]
	shakers *pool.Pool[hello]      // for TLS handshakes, which wait: they hold no worker of the above
	reserve *pool.Pool[*park.Conn] // for Server.HealthPath; nil without
	line    *line
}

// A hello is a connection whose client has begun a TLS handshake.
type hello struct {
	c     *http1.Conn
	bytes []byte
}

// processorsPerGang is how many processors share one epoll set and one run queue.
const processorsPerGang = 4

// minGangWorkers is how many workers a gang must have, for the sake of connections that
// are bound to it: a gang whose workers are all busy gets no help from another.
const minGangWorkers = 64

// maxShakers is how many handshakes a gang carries out at the same time, if it has no more workers than that: clients
// that stall in one must not keep others out, however few handlers may be at work.
const maxShakers = 1 << 16

// newGangs returns as many gangs as the machine and the limit on workers suggest.
func newGangs(f *fleet, parks bool) ([]crew, error) {
	n := (runtime.GOMAXPROCS(0) + processorsPerGang - 1) / processorsPerGang
	n = max(min(n, f.set.Workers/minGangWorkers), 1)
	crews := make([]crew, n)
	for i := range crews {
		g, err := newGang(f, parks, share(f.set.Workers, i, n), share(f.set.standby, i, n), share(f.set.Queue, i, n))
		if err != nil {
			for _, g := range crews[:i] {
				g.end()
				g.conns().Close()
			}
			return nil, err
		}
		crews[i] = g
	}
	return crews, nil
}

// share is the i-th of n parts of total, which differ by one at most.
func share(total, i, n int) int { return (total + i) / n }

func newGang(f *fleet, parks bool, maxWorkers, standby, maxQueue int) (*gang, error) {
	set, err := park.NewSet(f.parkConfig(parks))
	if err != nil {
		return nil, fmt.Errorf("recycling: %w", err)
	}
	config := pool.Config[*park.Conn]{
		New:     f.newWork,
		Max:     maxWorkers,
		Standby: min(max(standby, 1), maxWorkers),
	}
	g := &gang{set: set}
	g.line = &line{gang: g, workers: maxWorkers, room: maxWorkers + max(maxQueue, 1), wait: f.set.QueueWait}
	if f.set.Queue == 0 {
		g.line.room = math.MaxInt
	}
	if parks {
		config.Lead = g.lead
	}
	g.shakers, err = pool.New(pool.Config[hello]{
		Work: func(h hello) { h.c.Shake(h.bytes) },
		Max:  max(maxWorkers, maxShakers),
	})
	if err == nil && f.server.HealthPath != "" {
		g.reserve, err = pool.New(pool.Config[*park.Conn]{New: f.newReserve, Max: reserveWorkers, Standby: 1, Queue: reserveQueue})
	}
	if err == nil {
		g.workers, err = pool.New(config) // the last, since it begins to lead
	}
	if err != nil {
		g.end()
		set.Close()
		return nil, fmt.Errorf("recycling: %w", err)
	}
	return g, nil
}

// A gang's share of workers, and of requests that may wait for them, that serve Server.HealthPath when all others are busy.
const (
	reserveWorkers = 2
	reserveQueue   = 64
)

// lead is what the leader does: it waits, and returns who may be served or may wait for that.
func (g *gang) lead(batch []*park.Conn) ([]*park.Conn, error) {
	batch, err := g.set.Lead(batch)
	return g.line.admit(batch, 0), err
}

// lockedCheck is how often a worker looks whether a handler has left it locked to its thread. Looking
// takes longer than a microsecond, a tenth of a small request, so it is not done each time.
const lockedCheck = 64

// newWork returns what one worker does with one connection after the other. A handler that takes its connection over
// may keep the goroutine for long, as for a WebSocket: then it is no worker any more.
func (f *fleet) newWork(leave func()) func(*park.Conn) { return f.work(http1.NewWorker(f.http), leave) }

// newReserve is newWork for a worker in reserve, which answers one request of a connection at a time.
func (f *fleet) newReserve(leave func()) func(*park.Conn) {
	w := http1.NewWorker(f.http)
	w.Reserve = true
	return f.work(w, leave)
}

func (f *fleet) work(w *http1.Worker, leave func()) func(*park.Conn) {
	w.Hijacked = leave
	n := 0
	var stack [64]byte
	return func(c *park.Conn) {
		w.Serve(c.Owner.(*http1.Conn))
		if n++; n%lockedCheck == 0 && locked(stack[:]) {
			runtime.Goexit() // and the thread with it, as net/http's goroutine would
		}
	}
}

// locked reports whether the goroutine is locked to its thread, which package
// runtime tells nobody but the reader of a stack trace.
func locked(buf []byte) bool {
	head, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte(":"))
	return bytes.Contains(head, []byte("locked to thread"))
}

func (g *gang) conns() *park.Set { return g.set }

func (g *gang) push(c *park.Conn) {
	if g.workers.Push(c) != nil { // it was closed
		c.Owner.(*http1.Conn).End()
	}
}

func (g *gang) offer(c *park.Conn) { g.admit(c, 0) }

// requeue is offer by a worker that is done with c for now.
func (g *gang) requeue(c *park.Conn) { g.admit(c, 1) }

func (g *gang) admit(c *park.Conn, free int) {
	for _, c := range g.line.admit([]*park.Conn{c}, free) {
		g.push(c)
	}
}

func (g *gang) shake(h hello) {
	if g.shakers.Submit(context.Background(), h) != nil { // it was closed
		h.c.End()
	}
}

func (g *gang) end() (left []*park.Conn) {
	if g.workers != nil {
		left = g.workers.Close()
	}
	if g.reserve != nil {
		left = append(left, g.reserve.Close()...)
	}
	if g.shakers != nil {
		for _, h := range g.shakers.Close() {
			left = append(left, &h.c.Conn)
		}
	}
	return left
}

func (g *gang) stats(s *Stats) {
	for _, workers := range []*pool.Pool[*park.Conn]{g.workers, g.reserve} {
		if workers == nil {
			continue
		}
		p := workers.Stats()
		s.Workers += p.Workers
		s.Standby += p.Workers - p.Busy
		s.Busy += p.Busy
		s.Queued += int64(p.Queued)
	}
	s.ShedQueue += g.line.shed.Load()
	h := g.shakers.Stats()
	s.Handshakes += h.Busy + h.Queued
}
