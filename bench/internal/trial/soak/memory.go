package soak

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// enough is how many samples of memory a verdict needs.
const enough = 30

// How much larger than at the start the heap in use may be: in total, and for each connection of a
// crowd that has left, because maps, tables and the runtime keep room for it.
const (
	slackHeap = 2 << 20
	slackConn = 1 << 10
)

// Samples are measurements of resident memory, in bytes, at equal intervals.
type samples []float64

// watch samples the resident memory of p until the returned function is called, which returns the
// samples.
func (p *process) watch(ctx context.Context, every time.Duration) (end func() samples) {
	var (
		s    samples
		done = make(chan struct{})
		gone sync.WaitGroup
	)
	gone.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if n := resident(p.Pid()); n > 0 {
					s = append(s, float64(n))
				}
			case <-done:
				return
			case <-ctx.Done():
				return
			}
		}
	})
	return func() samples {
		close(done)
		gone.Wait()
		return s
	}
}

// growth returns the rise of the line of best fit through the last three quarters of s, and the
// distance of the samples from that line: twice their standard deviation, but at least 5 percent of
// their mean.
func (s samples) growth() (rise, noise float64) {
	s = s[len(s)/4:]
	n := float64(len(s))
	if n < 2 {
		return 0, 0
	}
	var mean, num, den, square float64
	for _, y := range s {
		mean += y / n
	}
	for i, y := range s {
		x := float64(i) - (n-1)/2
		num += x * (y - mean)
		den += x * x
	}
	slope := num / den
	for i, y := range s {
		d := y - mean - slope*(float64(i)-(n-1)/2)
		square += d * d / n
	}
	return slope * (n - 1), max(2*math.Sqrt(square), mean/20)
}

// verdict returns a line about s, and an error if memory has grown.
func (s samples) verdict() (string, error) {
	if len(s) == 0 {
		return "not known on this system", nil
	}
	rise, noise := s.growth()
	low, high := s[0], s[0]
	for _, y := range s {
		low, high = min(low, y), max(high, y)
	}
	text := fmt.Sprintf("%d samples of %.1f to %.1f MiB; over the last three quarters %+.1f MiB, noise %.1f MiB", len(s), mib(low), mib(high), mib(rise), mib(noise))
	switch {
	case len(s) < enough:
		return text + ": too few samples for a verdict", nil
	case rise > noise:
		return text + ": GROWS", fmt.Errorf("%w: resident memory grew by %.1f MiB, and noise is %.1f MiB", errBalance, mib(rise), mib(noise))
	}
	return text + ": flat", nil
}

func mib[N int64 | float64](n N) float64 { return float64(n) / (1 << 20) }
