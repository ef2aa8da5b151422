package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// ErrFailed is wrapped by the error of Run if a promise was broken.
var ErrFailed = errors.New("jobs: a promise was broken")

// Run carries out the trial, and writes a report. Its error wraps [ErrFailed] if something does not
// hold, and [hosts.ErrUnsupported] if there can be no hosts here.
func Run(ctx context.Context, c Config, p *record.Progress, w io.Writer) (err error) {
	if err := c.setDefaults(); err != nil {
		return err
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64()>>1 | 1
	}
	if runtime.GOOS == "windows" {
		return errors.New("jobs: no process can be sent SIGTERM here")
	}
	t := &trial{Config: c, progress: p, dir: c.Dir, random: newRandom(c.Seed)}
	if t.dir == "" {
		if t.dir, err = os.MkdirTemp("", "bench-jobs-"); err != nil {
			return err
		}
		defer func() {
			if errors.Is(err, ErrFailed) {
				err = fmt.Errorf("%w\nlogs and ledgers are in %s", err, t.dir)
				return
			}
			os.RemoveAll(t.dir)
		}()
	}
	for _, name := range []string{"logs", "ledgers", "effects", "serving"} {
		if err := os.MkdirAll(filepath.Join(t.dir, name), 0o777); err != nil {
			return err
		}
	}
	defer func() {
		if t.net != nil {
			err = errors.Join(err, t.net.Close())
		}
	}()
	p.Say("jobs: starting three hosts")
	if err := t.makeMachines(ctx); err != nil {
		return err
	}
	stop, err := t.startNodes(ctx)
	if err != nil {
		return err
	}
	defer stop()
	r := &harness.Report{W: w, Wrong: ErrFailed}
	r.Line("seed %d", c.Seed)
	t.live(ctx, r)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	stop() // so that the ledgers are complete
	t.judge(r)
	return r.Err()
}

// live carries out the parts of the trial one after the other.
func (t *trial) live(ctx context.Context, r *harness.Report) {
	t.progress.Say("jobs: %d tasks and %d kills in %v", t.Tasks, t.Kills, t.Duration)
	t.storm(ctx, r)
	if t.Rolls > 0 && ctx.Err() == nil {
		t.progress.Say("jobs: replacing workers %d times", t.Rolls)
		t.roll(ctx, r)
	}
	if t.net != nil && ctx.Err() == nil {
		t.killMachines(ctx, r)
	}
	t.confirm(ctx)
}

// callers is how many clients send calls during the storm.
const callers = 4

// storm enqueues tasks and sends calls while things break, and waits until all tasks are done.
func (t *trial) storm(ctx context.Context, r *harness.Report) {
	limited, cancel := context.WithTimeout(ctx, t.Duration+t.Settle)
	defer cancel()
	calling, endCalls := context.WithCancel(limited)
	var wg sync.WaitGroup
	for i := range callers {
		c := caller{trial: t, name: fmt.Sprint("storm", i), pause: 100 * time.Millisecond}
		wg.Go(func() { c.run(calling) })
	}
	sent := make(chan struct{})
	wg.Go(func() { t.enqueueAll(limited, func() { close(sent) }) })
	t.chaos(limited)
	begin := time.Now()
	endCalls()
	t.progress.Say("jobs: waiting until all tasks are done")
	wg.Wait()
	if ctx.Err() == nil {
		took := time.Since(begin).Seconds()
		r.Check(limited.Err() == nil, "%.1f s after the last fault all tasks were done", took)
	}
}

// confirm asks for the states of all tasks once more: results must not have changed.
func (t *trial) confirm(ctx context.Context) {
	ids := map[string]bool{}
	for _, e := range t.history.Enqueued {
		if e.ID != "" {
			ids[e.ID] = true
		}
	}
	asking := make(chan struct{}, 8)
	limited, cancel := context.WithTimeout(ctx, t.Settle)
	defer cancel()
	var wg sync.WaitGroup
	for id := range ids {
		asking <- struct{}{}
		wg.Go(func() {
			defer func() { <-asking }()
			for limited.Err() == nil {
				if _, ok := t.look(limited, id); ok {
					return
				}
				wait(limited, 200*time.Millisecond)
			}
		})
	}
	wg.Wait()
}
