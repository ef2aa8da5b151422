package soak

import (
	"context"
	"errors"
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
	defer p.stop()
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
	found.list(w)
	err = errors.Join(found.close(w), p.close(ctx, base, 0, w), flat)
	fmt.Fprintf(w, "  memory       %s\n", memory)
	conclude(w, err)
	return err
}

// together runs all clients, and waits for them.
func together(ctx context.Context, clients []*client, until time.Time) {
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() { c.run(ctx, until) })
	}
	all.Wait()
}

func conclude(w io.Writer, err error) {
	if err == nil {
		fmt.Fprintln(w, "  the balance holds")
	} else {
		fmt.Fprintln(w, "  THE BALANCE DOES NOT HOLD")
	}
}
