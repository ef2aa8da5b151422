package jobs

import (
	"cmp"
	"context"
	"slices"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
	"github.com/recycling-go/recycling/bench/internal/trial/jobs/history"
)

// A deed is something that chaos does at a certain time.
type deed struct {
	at time.Duration
	do func(ctx context.Context)
}

// deeds returns what chaos does, in order. Of twenty processes that are killed, twelve are workers,
// five NATS servers, and three HTTP servers.
func (t *trial) deeds() []deed {
	var all []deed
	for i := range t.Kills {
		group, kind := t.workers, history.KillWorker
		switch i % 20 {
		case 1, 7, 13:
			group, kind = t.servers, history.KillServer
		case 2, 6, 10, 14, 18:
			group, kind = t.nats, history.KillNATS
		}
		all = append(all, deed{t.random.between(0, t.Duration), func(ctx context.Context) { t.killOne(ctx, group, kind) }})
	}
	part := func(percent int) time.Duration { return t.Duration * time.Duration(percent) / 100 }
	all = append(all,
		deed{part(15), func(ctx context.Context) { t.anyWorker().suspend(ctx, part(10)) }},
		deed{part(85), func(ctx context.Context) { t.anyWorker().suspend(ctx, part(2)) }},
	)
	if !t.Local {
		all = append(all,
			deed{part(30), func(ctx context.Context) { t.cut(ctx, part(10)) }},
			deed{part(55), func(ctx context.Context) { t.fillDisk(ctx, t.nats[t.random.intN(len(t.nats))], part(5)) }},
			deed{part(70), t.fillAllDisks},
		)
	}
	slices.SortFunc(all, func(a, b deed) int { return cmp.Compare(a.at, b.at) })
	return all
}

// chaos carries out the deeds, and returns when the last one is over.
func (t *trial) chaos(ctx context.Context) {
	begin := time.Now()
	for _, d := range t.deeds() {
		wait(ctx, d.at-time.Since(begin))
		if ctx.Err() != nil {
			break
		}
		t.wg.Go(func() { d.do(ctx) })
	}
	wait(ctx, t.Duration-time.Since(begin))
	t.wg.Wait()
}

func (t *trial) anyWorker() *node { return t.workers[t.random.intN(len(t.workers))] }

// killOne kills a process of a group that runs.
func (t *trial) killOne(ctx context.Context, group []*node, kind history.Kind) {
	for ctx.Err() == nil {
		delay := t.random.between(100*time.Millisecond, 3*time.Second)
		if group[t.random.intN(len(group))].kill(ctx, kind, delay) {
			return
		}
		wait(ctx, 10*time.Millisecond)
	}
}

// cut takes a host off the network for some time.
func (t *trial) cut(ctx context.Context, d time.Duration) {
	h := t.nats[t.random.intN(len(t.nats))].on.host
	f := history.Fault{Kind: history.Cut, Target: h.Name, From: time.Now()}
	defer t.endFault(f)
	if err := h.Cut(ctx); err != nil {
		t.note("cutting off %s: %v", h.Name, err)
		return
	}
	wait(ctx, d)
	if err := h.Heal(context.WithoutCancel(ctx)); err != nil {
		t.note("healing %s: %v", h.Name, err)
	}
}

// fillDisk fills the disk of a NATS server for some time. A server that could not write to its disk
// does not use it any more until it is restarted; so fillDisk restarts it, as an operator would.
func (t *trial) fillDisk(ctx context.Context, n *node, d time.Duration) {
	f := history.Fault{Kind: history.FullDisk, Target: n.on.name, From: time.Now()}
	defer t.endFault(f)
	free, err := hosts.Fill(n.setup.Store)
	if err != nil {
		t.note("filling the disk of %s: %v", n.on.name, err)
		return
	}
	wait(ctx, d)
	if err := free(); err != nil {
		t.note("freeing the disk of %s: %v", n.on.name, err)
	}
	for !n.kill(ctx, history.KillNATS, 0) && ctx.Err() == nil {
		wait(ctx, 100*time.Millisecond)
	}
}

// fillAllDisks fills the disks of all NATS servers for a short time: nothing more can be accepted.
func (t *trial) fillAllDisks(ctx context.Context) {
	for _, n := range t.nats {
		t.wg.Go(func() { t.fillDisk(ctx, n, t.Duration/50) })
	}
}

// killMachine kills all processes of a host at the same moment, and takes it off the network. It
// returns a function that undoes that.
func (t *trial) killMachine(ctx context.Context, m *machine) (restart func() error, err error) {
	if err := m.host.Cut(ctx); err != nil {
		return nil, err
	}
	var down []*node
	for _, n := range t.nodes {
		if n.on == m {
			n.end(syscall.SIGKILL)
			down = append(down, n)
		}
	}
	return func() error {
		err := m.host.Heal(ctx)
		for _, n := range down {
			n.resume()
		}
		return err
	}, nil
}
