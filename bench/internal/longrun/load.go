package longrun

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// giveUp is the number of failures after which a client stops. Otherwise it would only fail if
// there is no server.
const giveUp = 3

// A load is a closed loop of clients.
type load struct {
	client *http.Client
	url    string
}

// A result is what a load, or one of its clients, has measured.
type result struct {
	elapsed time.Duration
	times   []time.Duration // of requests that succeeded, sorted
	failed  int
	first   error // the first failure
}

// run sends requests for d, and waits for the last responses, unless ctx ends.
func run(ctx context.Context, url string, clients int, d time.Duration) result {
	l := load{url: url, client: &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, // as siege does
		Timeout:   time.Minute + time.Duration(clients)*time.Second,
	}}
	results := make([]result, clients)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range results {
		all.Go(func() { results[i] = l.loop(ctx, begin.Add(d)) })
	}
	all.Wait()
	sum := result{elapsed: time.Since(begin)}
	for _, r := range results {
		sum.times = append(sum.times, r.times...)
		sum.failed += r.failed
		if sum.first == nil {
			sum.first = r.first
		}
	}
	slices.Sort(sum.times)
	return sum
}

// loop sends one request after the other until end, and at least one.
func (l *load) loop(ctx context.Context, end time.Time) (r result) {
	for now := time.Now(); ; {
		err := l.ask(ctx)
		then := now
		now = time.Now()
		switch {
		case ctx.Err() != nil:
			return r // requests that it interrupts do not count as failures
		case err == nil:
			r.times = append(r.times, now.Sub(then))
		default:
			r.failed++
			if r.first == nil {
				r.first = err
			}
		}
		if !now.Before(end) || r.failed == giveUp {
			return r
		}
	}
}

func (l *load) ask(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, "GET", l.url, nil)
	if err != nil {
		return err
	}
	a, err := l.client.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err == nil && (a.StatusCode != http.StatusOK || string(body) != done) {
		err = fmt.Errorf("%s: %q", a.Status, body)
	}
	return err
}

// availability returns siege's availability: the share of requests that succeeded, in percent.
func (r *result) availability() float64 {
	return 100 * float64(len(r.times)) / float64(len(r.times)+r.failed)
}

// sum returns the time of all requests that succeeded, in seconds.
func (r *result) sum() float64 {
	var d time.Duration
	for _, t := range r.times {
		d += t
	}
	return d.Seconds()
}

// quantile returns the time, in seconds, that a share q of the successful requests did not exceed.
// There must be at least one.
func (r *result) quantile(q float64) float64 {
	i := int(math.Ceil(q * float64(len(r.times))))
	return r.times[max(i-1, 0)].Seconds()
}
