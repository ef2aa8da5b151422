package soak

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// Soak lets clients do at random what clients do, well-behaved or not, and writes the closing
// balance to w. A tenth of the duration, but at most 5 seconds, warms up the server first. Soak
// returns an error if the balance does not hold, or if ctx ends.
func Soak(ctx context.Context, cfg Config, progress *record.Progress, w io.Writer) (err error) {
	defer func() { err = endedBy(ctx, err) }()
	cfg, err = cfg.filled(2 * time.Minute)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "soak: %s, %v, %d clients, seed %d\n", cfg.Server, cfg.Duration, cfg.Clients, cfg.Seed)
	p, err := setup{server: cfg.Server}.start(ctx)
	if err != nil {
		return err
	}
	defer p.Stop()
	defer progress.Done()

	var found tally
	clients := make([]*client, cfg.Clients)
	for i := range clients {
		clients[i] = &client{n: i, server: p, rnd: rand.New(rand.NewPCG(cfg.Seed, uint64(i))), tally: &found, patience: cfg.patience}
	}
	progress.Say("soak: warming up")
	together(ctx, clients, time.Now().Add(min(cfg.Duration/10, 5*time.Second)))
	base, err := p.base(ctx)
	if err != nil {
		return err
	}
	progress.Say("soak: %v", cfg.Duration)
	end := p.watch(ctx, time.Second)
	together(ctx, clients, time.Now().Add(cfg.Duration))
	memory, flat := end().verdict()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r := newReport(w, "  ")
	found.list(r)
	found.close(r)
	p.close(ctx, base, 0, r)
	r.Line("memory       %s", memory)
	r.Fail(flat)
	conclude(r)
	return r.Err()
}

// together runs all clients, and waits for them.
func together(ctx context.Context, clients []*client, until time.Time) {
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() { c.run(ctx, until) })
	}
	all.Wait()
}
