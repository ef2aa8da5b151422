package main

import (
	"context"
	"net"
	"sync"
	"time"
)

// A load is a closed loop of clients against one server.
type load struct {
	clients []*client
}

// A result is what a load found.
type result struct {
	elapsed   time.Duration
	latencies []time.Duration // one for each request that was answered, sorted
	errors    int
	first     error // of the errors
}

// newLoad connects n clients to addr, unless each request has its own connection.
func newLoad(addr string, s scenario, n int) (*load, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	l := new(load)
	for range n {
		c := newClient(a, s)
		l.clients = append(l.clients, c)
		if s.close {
			continue
		}
		if err := c.dial(); err != nil {
			l.hangUp()
			return nil, err
		}
	}
	return l, nil
}

func (l *load) hangUp() {
	for _, c := range l.clients {
		c.hangUp()
	}
}

// run sends requests for d, and waits for the last answers. Only the end of the server
// interrupts that: it is killed when ctx ends.
func (l *load) run(ctx context.Context, d time.Duration) result {
	results := make([]result, len(l.clients))
	var all sync.WaitGroup
	begin := time.Now()
	for i, c := range l.clients {
		all.Go(func() { results[i] = c.loop(ctx, begin.Add(d)) })
	}
	all.Wait()
	sum := result{elapsed: time.Since(begin)}
	for _, r := range results {
		sum.latencies = append(sum.latencies, r.latencies...)
		sum.errors += r.errors
		if sum.first == nil {
			sum.first = r.first
		}
	}
	sortDurations(sum.latencies)
	return sum
}

// giveUp is how many errors end the loop of a client: without a server it would do nothing but fail.
const giveUp = 3

// loop sends one request after the other until end, and one at least.
func (c *client) loop(ctx context.Context, end time.Time) (r result) {
	now := time.Now()
	for {
		_, err := c.do()
		then := now
		now = time.Now()
		if err == nil {
			r.latencies = append(r.latencies, now.Sub(then))
		} else {
			r.errors++
			if r.first == nil {
				r.first = err
			}
		}
		if !now.Before(end) || ctx.Err() != nil || r.errors == giveUp {
			return r
		}
	}
}
