package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// An outcome is the result of an arrival.
type outcome int

const (
	served  outcome = iota // 200
	refused                // 503
	tooLate                // no complete response in time
	broken                 // anything else
	unsent                 // too many other requests were in flight
)

// A shot is one arrival. Its latency counts from when it was due, so it includes the time before it
// was sent.
type shot struct {
	outcome outcome
	due     time.Duration // since the start of the phase
	latency time.Duration
	err     error // of a broken shot
}

// Arrivals are requests that are sent when they are due, whether or not the requests before them
// were answered: an open loop. Connections are reused, as clients do.
type arrivals struct {
	server   *process
	request  []byte
	patience time.Duration // of each request
	most     int64         // the maximum number of requests in flight
	peak     int64         // the largest number of requests in flight so far, in an open loop

	under atomic.Int64
	mu    sync.Mutex // guards following
	idle  []*line
	dials int
}

// A line is a connection that arrivals use one after the other.
type line struct {
	nc   *net.TCPConn
	in   *bufio.Reader
	used bool
}

func newArrivals(p *process, path string, patience time.Duration) *arrivals {
	return &arrivals{
		server: p, patience: patience, most: int64(maxDescriptors()/2 - 100),
		request: []byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	}
}

// hangUp closes all idle connections.
func (a *arrivals) hangUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.idle {
		l.nc.Close()
	}
	a.idle = nil
}

// A phase is a rate, in requests per second, for a time.
type phase struct {
	rate float64
	d    time.Duration
}

// open sends requests when they are due, one phase after the other without a pause, and waits for
// the last of them. It returns the shots of each phase.
func (a *arrivals) open(ctx context.Context, phases ...phase) []shots {
	var (
		all  = make([]shots, len(phases))
		wait sync.WaitGroup
	)
	begin := time.Now()
	for i, p := range phases {
		all[i] = a.phase(ctx, begin, p, &wait)
		begin = begin.Add(p.d)
	}
	wait.Wait()
	return all
}

func (a *arrivals) phase(ctx context.Context, begin time.Time, p phase, wait *sync.WaitGroup) shots {
	all := make(shots, int(p.rate*p.d.Seconds()))
	for i := range all {
		s := &all[i]
		s.due = time.Duration(float64(i) / p.rate * float64(time.Second))
		for rest := s.due - time.Since(begin); rest > 0 && ctx.Err() == nil; rest = s.due - time.Since(begin) {
			time.Sleep(rest)
		}
		if ctx.Err() != nil {
			return all[:i]
		}
		now := a.under.Add(1)
		if now > a.most {
			a.under.Add(-1)
			s.outcome = unsent
			continue
		}
		a.peak = max(a.peak, now)
		wait.Go(func() {
			defer a.under.Add(-1)
			a.shoot(ctx, s, begin.Add(s.due))
		})
	}
	return all
}

// closed runs n clients for d. Each sends its next request when it has the response to the last
// one.
func (a *arrivals) closed(ctx context.Context, n int, d time.Duration) shots {
	var (
		all  = make([]shots, n)
		wait sync.WaitGroup
	)
	for begin, i := time.Now(), 0; i < n; i++ {
		wait.Go(func() {
			for time.Since(begin) < d && ctx.Err() == nil {
				s := shot{due: time.Since(begin)}
				a.shoot(ctx, &s, begin.Add(s.due))
				all[i] = append(all[i], s)
			}
		})
	}
	wait.Wait()
	return slices.Concat(all...)
}

// shoot sends one request, which was due at the time then.
func (a *arrivals) shoot(ctx context.Context, s *shot, then time.Time) {
	ctx, cancel := context.WithDeadline(ctx, then.Add(a.patience))
	defer cancel()
	s.outcome, s.err = a.ask(ctx)
	s.latency = time.Since(then)
	if s.outcome == served && s.latency > a.patience {
		s.outcome = tooLate
	}
}

func (a *arrivals) ask(ctx context.Context) (outcome, error) {
	for {
		l, err := a.take(ctx)
		if err != nil {
			return outcomeOf(err), err
		}
		status, keep, err := l.ask(ctx, a.request)
		if keep {
			a.put(l)
		} else {
			l.nc.Close()
		}
		switch {
		case err != nil && l.used && ctx.Err() == nil && (errors.Is(err, io.EOF) || isReset(err)):
			continue // the server had closed an idle connection; try another, as clients do
		case err != nil:
			return outcomeOf(err), err
		case status == http.StatusOK:
			return served, nil
		case status == http.StatusServiceUnavailable:
			return refused, nil
		}
		return broken, fmt.Errorf("status %d", status)
	}
}

func outcomeOf(err error) outcome {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return tooLate
	}
	return broken
}

func (a *arrivals) take(ctx context.Context) (*line, error) {
	a.mu.Lock()
	if n := len(a.idle); n > 0 {
		l := a.idle[n-1]
		a.idle = a.idle[:n-1]
		a.mu.Unlock()
		l.used = true
		return l, nil
	}
	a.dials++
	n := a.dials
	a.mu.Unlock()
	nc, err := a.server.dial(ctx, n)
	if err != nil {
		return nil, err
	}
	return &line{nc: nc, in: bufio.NewReaderSize(nc, 1<<10)}, nil
}

func (a *arrivals) put(l *line) {
	a.mu.Lock()
	a.idle = append(a.idle, l)
	a.mu.Unlock()
}

// ask sends a request and reads its response. keep reports whether the connection can be used
// again.
func (l *line) ask(ctx context.Context, request []byte) (status int, keep bool, err error) {
	end, _ := ctx.Deadline()
	if err := l.nc.SetDeadline(end); err != nil {
		return 0, false, err
	}
	if _, err := l.nc.Write(request); err != nil {
		return 0, false, err
	}
	res, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return 0, false, err
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0, false, err
	}
	return res.StatusCode, !res.Close, nil
}

// Shots are the results of arrivals.
type shots []shot

// count returns the number of shots with that outcome.
func (s shots) count(o outcome) (n int) {
	for _, x := range s {
		if x.outcome == o {
			n++
		}
	}
	return n
}

// percentile returns the latency that p percent of the shots with that outcome did not exceed, or
// zero if there are none.
func (s shots) percentile(o outcome, p float64) time.Duration {
	var all []time.Duration
	for _, x := range s {
		if x.outcome == o {
			all = append(all, x.latency)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(float64(len(all)-1)*p/100)]
}

// first returns the error of the first broken shot.
func (s shots) first() error {
	for _, x := range s {
		if x.outcome == broken {
			return x.err
		}
	}
	return nil
}
