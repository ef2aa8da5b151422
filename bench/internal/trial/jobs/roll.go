package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
	"github.com/recycling-go/recycling/bench/internal/trial/jobs/history"
)

// rollLimit is how long the replacement of a worker may take.
const rollLimit = 15 * time.Second

// roll replaces workers in turn while clients send calls and enqueue tasks: a worker gets SIGTERM,
// exits with status 0, and is started again. No call may fail, whether it is idempotent or not; no
// enqueued task may be refused, fail, or be executed twice.
func (t *trial) roll(ctx context.Context, r *harness.Report) {
	calls, attempts := len(t.history.Calls), len(t.history.Enqueued)
	loading, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range 2 * callers {
		c := caller{trial: t, name: fmt.Sprint("roll", i), limit: 20 * time.Second, pause: 20 * time.Millisecond}
		wg.Go(func() { c.run(loading) })
	}
	wg.Go(func() { t.trickle(ctx, loading) })
	replaced := 0
	var failed []error
	for i := range t.Rolls {
		if err := t.replace(ctx, t.workers[i%len(t.workers)]); err != nil {
			failed = append(failed, err)
			continue
		}
		replaced++
		wait(ctx, t.random.between(0, 400*time.Millisecond))
	}
	end()
	wg.Wait()
	r.Check(len(failed) == 0, "%d of %d workers were replaced", replaced, t.Rolls)
	r.Fail(errors.Join(failed[:min(len(failed), 3)]...))
	var wrong []string
	for _, c := range t.history.Calls[calls:] {
		if c.Status != http.StatusOK {
			wrong = append(wrong, fmt.Sprintf("%s at %s after %v: %d %s", c.Token, c.At.Format("15:04:05.000"), c.Took.Round(time.Millisecond), c.Status, c.Error))
		}
	}
	for _, e := range t.history.Enqueued[attempts:] {
		if !e.Accepted() {
			wrong = append(wrong, fmt.Sprintf("%s at %s: %d %s", e.Token, e.At.Format("15:04:05.000"), e.Status, e.Error))
		}
	}
	r.Check(len(wrong) == 0, "meanwhile there were %d calls and %d enqueued tasks, of which %d failed", len(t.history.Calls)-calls, len(t.history.Enqueued)-attempts, len(wrong))
	for _, s := range wrong[:min(len(wrong), 20)] {
		r.Line("  %s", s)
	}
}

// trickle enqueues a task every few milliseconds until loading ends, and waits until all are done.
func (t *trial) trickle(ctx, loading context.Context) {
	limited, cancel := context.WithTimeout(ctx, t.Settle+time.Duration(t.Rolls)*rollLimit)
	defer cancel()
	var watching sync.WaitGroup
	asking := make(chan struct{}, 8)
	for number := t.Tasks; loading.Err() == nil; number++ {
		j := job{number: number, copies: 1, in: input{Work: t.random.between(time.Millisecond, 50*time.Millisecond)}}
		watching.Go(func() {
			if id := t.enqueue(limited, j); id != "" {
				t.watch(limited, id, asking)
			}
		})
		wait(loading, t.random.between(10*time.Millisecond, 50*time.Millisecond))
	}
	watching.Wait()
}

// replace stops a worker, and waits until its successor is connected to NATS.
func (t *trial) replace(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rollLimit, errors.New("it took too long"))
	defer cancel()
	_, name := n.process()
	f := history.Fault{Kind: history.Replace, Target: name, From: time.Now()}
	defer t.endFault(f)
	err := n.halt(ctx)
	n.resume()
	if err != nil {
		return fmt.Errorf("jobs: %s: %w", name, err)
	}
	if !n.serving(ctx) {
		return fmt.Errorf("jobs: the successor of %s: %w", name, context.Cause(ctx))
	}
	return nil
}

const (
	bucket    = 100 * time.Millisecond
	baseline  = 5 * time.Second
	aftermath = 20 * time.Second
)

// killMachines kills whole machines, one after the other, while clients send calls, and reports how
// long it takes until the throughput is what it was before.
func (t *trial) killMachines(ctx context.Context, r *harness.Report) {
	for i := range t.Machines {
		m := t.nats[i%len(t.nats)].on
		t.progress.Say("jobs: killing %s", m.name)
		if err := t.recovery(ctx, r, m, i); err != nil && ctx.Err() == nil {
			r.Fail(err)
		}
	}
}

// recovery kills a machine under load, and starts it again after a while. The load is half of what
// the other two can bear, so that they can take over everything.
func (t *trial) recovery(ctx context.Context, r *harness.Report, m *machine, round int) error {
	before := len(t.history.Calls)
	calling, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end()
	var right atomic.Int64
	// Each caller has one call at a time, and each task takes 50 ms.
	for i := range 2 * workersOfHost * tasksOfWorker / 2 {
		c := caller{trial: t, name: fmt.Sprintf("machine%d.%d", round, i), limit: 15 * time.Second, work: 50 * time.Millisecond, right: &right}
		wg.Go(func() { c.run(calling) })
	}
	var buckets []int64
	count := func(d time.Duration) {
		tick := time.NewTicker(bucket)
		defer tick.Stop()
		for range d / bucket {
			last := right.Load()
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
			buckets = append(buckets, right.Load()-last)
		}
	}
	count(baseline)
	f := history.Fault{Kind: history.Cut, Target: m.name, From: time.Now()}
	restart, err := t.killMachine(ctx, m)
	if err != nil {
		t.endFault(f)
		return err
	}
	killed := len(buckets)
	count(aftermath)
	end()
	wg.Wait()
	err = restart()
	for _, n := range t.nodes {
		if !n.serving(ctx) {
			err = errors.Join(err, fmt.Errorf("jobs: %s was not started again", n.name))
		}
	}
	t.endFault(f)
	took, ok := recovered(buckets, killed)
	failed := 0
	for _, c := range t.history.Calls[before:] {
		if c.Status != http.StatusOK {
			failed++
		}
	}
	text := fmt.Sprintf("%.1f s until there were as many again", took.Seconds())
	if !ok {
		text = fmt.Sprintf("not as many again within %v", aftermath)
	}
	r.Check(ok, "%s was killed: %d calls/s before; %s; %d of %d calls failed meanwhile",
		m.name, perSecond(buckets[:killed]), text, failed, len(t.history.Calls)-before)
	return err
}

func perSecond(buckets []int64) int64 {
	var all int64
	for _, n := range buckets {
		all += n
	}
	return all * int64(time.Second/bucket) / int64(max(1, len(buckets)))
}

// recovered returns how long after the bucket killed the throughput was back: it is when the first
// second begins that has 0.9 of the median of the seconds before.
func recovered(buckets []int64, killed int) (time.Duration, bool) {
	const second = int(time.Second / bucket)
	var rates []int64
	for i := second; i+second <= killed; i++ { // the first second is for connecting
		rates = append(rates, perSecond(buckets[i:i+second]))
	}
	if len(rates) == 0 {
		return 0, false
	}
	slices.Sort(rates)
	want := rates[len(rates)/2] * 9 / 10
	for i := killed; i+second <= len(buckets); i++ {
		if perSecond(buckets[i:i+second]) >= want {
			return time.Duration(i-killed) * bucket, want > 0
		}
	}
	return 0, false
}
