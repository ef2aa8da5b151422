package main

import (
	"context"
	"runtime"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// measureIdle opens connections to a new server, makes a request on each, and leaves them. The memory
// is what the process has then over what it had before the first; nobody tells it to collect garbage.
func measureIdle(ctx context.Context, strategy recycling.Strategy, o options) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := start(ctx, strategy, o.idle)
	if err != nil {
		return sample{}, err
	}
	defer c.stop()
	keep := scenario{name: idle, path: "/yo"}
	if _, err := ask(c.addr, scenario{path: keep.path, close: true}); err != nil {
		return sample{}, err
	}
	before, err := c.rss()
	if err != nil {
		return sample{}, err
	}
	l, err := newLoad(c.addr, keep, o.idle)
	if err != nil {
		return sample{}, err
	}
	defer l.hangUp()
	for _, c := range l.clients {
		if _, err := c.do(); err != nil {
			return sample{}, err
		}
	}
	select {
	case <-ctx.Done():
		return sample{}, ctx.Err()
	case <-time.After(o.settle):
	}
	after, err := c.rss()
	if err != nil {
		return sample{}, err
	}
	return sample{Scenario: idle, Strategy: strategy, Bytes: float64(after-before) / float64(o.idle)}, nil
}

// canMeasureIdle reports whether the memory of another process can be read here.
func canMeasureIdle() bool { return runtime.GOOS == "linux" }
