package soak

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// Churn opens short connections with one request each, which says "Connection: close". On every
// fifth connection the request does not say that, and the client resets the connection after the
// response. The first twentieth of the connections warms up the server. Churn writes the closing
// balance to w, and returns an error if the balance does not hold, or if ctx ends.
func Churn(ctx context.Context, cfg Config, progress *record.Progress, w io.Writer) (err error) {
	defer func() { err = endedBy(ctx, err) }()
	cfg, err = cfg.filled(0)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "churn: %s, %d connections, %d clients\n", cfg.Server, cfg.Connections, cfg.Clients)
	p, err := setup{server: cfg.Server}.start(ctx)
	if err != nil {
		return err
	}
	defer p.Stop()
	defer progress.Done()

	var found tally
	first := cfg.Connections / 20
	progress.Say("churn: warming up")
	churn(ctx, cfg, p, &found, first, nil)
	base, err := p.base(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	end := p.watch(ctx, time.Second)
	churn(ctx, cfg, p, &found, cfg.Connections-first, progress)
	took := time.Since(begin)
	memory, flat := end().verdict()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r := newReport(w, "  ")
	r.Line("rate         %.0f connections a second", float64(cfg.Connections-first)/took.Seconds())
	found.close(r)
	p.close(ctx, base, 0, r)
	r.Line("memory       %s", memory)
	r.Fail(flat)
	conclude(r)
	return r.Err()
}

// churn opens n connections.
func churn(ctx context.Context, cfg Config, p *process, found *tally, n int, progress *record.Progress) {
	var (
		left atomic.Int64
		all  sync.WaitGroup
	)
	left.Store(int64(n))
	for i := range cfg.Clients {
		c := &client{n: i, server: p, rnd: rand.New(rand.NewPCG(cfg.Seed, uint64(i))), tally: found, patience: cfg.patience}
		all.Go(func() {
			for ctx.Err() == nil {
				rest := left.Add(-1)
				if rest < 0 {
					return
				}
				if rest%100_000 == 0 {
					progress.Say("churn: %d connections to go", rest)
				}
				if err := c.short(ctx, i+int(rest)); ctx.Err() == nil {
					found.act("short", err)
				}
			}
		})
	}
	all.Wait()
}

// short opens one connection, sends a request, and closes the connection.
func (c *client) short(ctx context.Context, n int) error {
	c.n = n
	if err := c.connect(ctx); err != nil {
		return err
	}
	defer c.drop(false)
	r := c.request("GET", "/sing/", 100)
	if n%5 != 0 {
		r.more = "Connection: close\r\n"
		return c.ends(c.exchange(r))
	}
	defer c.drop(true)
	return c.exchange(r)
}
