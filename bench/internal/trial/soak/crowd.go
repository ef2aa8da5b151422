package soak

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A crowd is many clients that misbehave in the same way.
type crowd struct {
	name  string
	n     int
	says  string        // what each client sends first
	again string        // what each client sends from time to time; empty means nothing
	every time.Duration // how often each client sends it
}

// spare is how many descriptors are left for good clients and for the server itself.
const spare = 300

// goodRate is how many requests good clients send per second.
const goodRate = 300

// Crowd measures the latencies of good clients, alone and beside each kind of bad clients, and
// writes them to w, with the workers and the memory that the bad clients hold. It returns an error
// if the balance of cfg.Server does not hold after they have left, or if ctx ends.
func Crowd(ctx context.Context, cfg Config, progress *record.Progress, w io.Writer) (err error) {
	defer func() { err = endedBy(ctx, err) }()
	cfg, err = cfg.filled(10 * time.Second)
	if err != nil {
		return err
	}
	defer progress.Done()
	room := maxDescriptors() - spare
	const post = "POST /drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
	crowds := []crowd{
		{"slow headers", cfg.SlowHeaders, "GET /yo HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "x", 5 * time.Second},
		{"slow bodies", cfg.SlowBodies, post, "x", 5 * time.Second},
		{"never reading", cfg.NeverReading, "GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n", "", 0},
	}
	fmt.Fprintf(w, "crowd: good clients send %d requests a second; there may be %d bad clients, because a process may have %d descriptors\n", goodRate, room, maxDescriptors())
	var all error
	for _, c := range crowds {
		if c.n <= 0 {
			continue
		}
		fmt.Fprintf(w, "%s: %d of %d\n", c.name, min(c.n, room), c.n)
		c.n = min(c.n, room)
		for _, name := range cfg.beside() {
			progress.Say("crowd: %s: %d clients with %s", name, c.n, c.name)
			err := c.meet(ctx, cfg, name, w)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil && name == cfg.Server && all == nil {
				all = err
			}
		}
	}
	return all
}

// meet measures one server with the crowd.
func (c crowd) meet(ctx context.Context, cfg Config, name string, w io.Writer) error {
	fmt.Fprintf(w, "  %s\n", name)
	p, err := setup{server: name, patient: true}.start(ctx)
	if err != nil {
		return err
	}
	defer p.Stop()
	a := newArrivals(p, "/yo", cfg.patience)
	defer a.hangUp()

	a.open(ctx, phase{goodRate, cfg.Duration / 10}) // the server allocates what it keeps
	a.hangUp()
	base, err := p.base(ctx)
	if err != nil {
		return err
	}
	alone := a.open(ctx, phase{goodRate, cfg.Duration})[0]
	before, err := p.ask(ctx, "/collect")
	if err != nil {
		return err
	}
	bad, err := c.come(ctx, p)
	defer bad.leave()
	if err != nil {
		return err
	}
	talking, end := context.WithCancel(ctx)
	defer end()
	var talk sync.WaitGroup
	talk.Go(func() { bad.talk(talking, c) })
	phases := a.open(ctx, phase{goodRate, cfg.Duration / 2}, phase{goodRate, cfg.Duration})
	arriving, beside := phases[0], phases[1]
	during, most, err := p.busy(ctx)
	end()
	talk.Wait()
	if err != nil {
		return err
	}

	quiet, crowded := alone.percentile(served, 99), beside.percentile(served, 99)
	r := newReport(w, "    ")
	r.Line("bad clients  %d connected, the server has %d connections", len(bad), during.Open)
	r.Line("good p99     %v alone, %v beside the bad clients: %.1f times as high (target: 2 or less), and %v while these arrived, for %v; %d of %d requests not served", round(quiet), round(crowded),
		ratio(crowded, quiet), round(arriving.percentile(served, 99)), cfg.Duration/2, len(beside)-beside.count(served), len(beside))
	if name != "net/http" {
		r.Line("workers      %d to %d busy, one of which answers this question; %d connections parked, %d queued", during.Busy, most, during.Parked, during.Queued)
	}
	r.Line("goroutines   %d", during.Goroutines)
	if during.RSS > 0 {
		r.Line("memory       %.1f MiB, %.2f KiB for each bad client", mib(during.RSS), float64(during.RSS-before.RSS)/1024/float64(len(bad)))
	}
	bad.leave()
	a.hangUp()
	p.close(ctx, base, len(bad), r)
	conclude(r)
	return r.Err()
}

// busy requests the state several times, because a worker may be busy for a moment with a byte that
// has arrived. It returns the state with the fewest busy workers, and the largest number of busy
// workers.
func (p *process) busy(ctx context.Context) (least state, most int, err error) {
	for i := range 10 {
		st, err := p.ask(ctx, "/stats")
		if err != nil {
			return st, 0, err
		}
		if i == 0 || st.Busy < least.Busy {
			least = st
		}
		most = max(most, st.Busy)
	}
	return least, most, nil
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

// A mob is the connections of a crowd.
type mob []net.Conn

// come connects all clients of the crowd.
func (c crowd) come(ctx context.Context, p *process) (mob, error) {
	const atOnce = 32
	var (
		all  sync.WaitGroup
		mu   sync.Mutex // guards following
		bad  mob
		fail error
		next atomic.Int64
	)
	for range atOnce {
		all.Go(func() {
			for n := int(next.Add(1)); n <= c.n && ctx.Err() == nil; n = int(next.Add(1)) {
				nc, err := c.one(ctx, p, n)
				mu.Lock()
				if err == nil {
					bad = append(bad, nc)
				} else if fail == nil {
					fail = fmt.Errorf("soak: bad client %d: %w", n, err)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return bad, fail
}

// one connects one client, and sends what it says first.
func (c crowd) one(ctx context.Context, p *process, n int) (net.Conn, error) {
	var d net.Dialer
	if c.again == "" {
		d.Control = narrow
	}
	nc, err := p.dialWith(ctx, d, n)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(nc, c.says); err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// talk makes all clients send a little from time to time.
func (m mob) talk(ctx context.Context, c crowd) {
	if c.again == "" || len(m) == 0 {
		return
	}
	tick := time.NewTicker(max(c.every/time.Duration(len(m)), time.Microsecond))
	defer tick.Stop()
	begin, said := time.Now(), 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for due := int(time.Since(begin) * time.Duration(len(m)) / c.every); said < due; said++ {
			// If the server has closed the connection, its count of connections shows that.
			io.WriteString(m[said%len(m)], c.again)
		}
	}
}

// leave closes all connections.
func (m mob) leave() {
	for _, nc := range m {
		nc.Close()
	}
}
