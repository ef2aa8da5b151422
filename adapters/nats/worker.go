package recyclingnats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	defaultGrace = 20 * time.Second
	maxWorkers   = 1 << 14 // of a group
	maxWaiting   = 1 << 16 // pull requests that a consumer has at most
)

// A WorkerConfig configures a [Worker]. [Client.NewWorker] copies it.
type WorkerConfig struct {
	// Workers is how many tasks of each group may run at the same time. Zero means
	// runtime.GOMAXPROCS(0). Negative is an error.
	Workers int

	// Groups are the groups whose tasks this worker runs, and how many at the same time; zero means
	// Workers. A nil map means all groups.
	Groups map[string]int

	// Slots are what this machine has for tasks that need some, of all groups together. A worker
	// does not take tasks of a group if one of them needs more. That is an error if the group is in
	// Groups.
	Slots offload.Slots

	// Grace is how long tasks may continue after the context of Run has ended. Then their contexts
	// end too, and they are given back. Zero means 20 seconds. Negative means none.
	Grace time.Duration

	// Place is where this machine runs the tasks, for example in child processes. It should have at
	// least as many workers as the groups have here, since nothing is to wait there. Nil means in
	// this process, after [task.Set.Warm].
	Place task.Place
}

// A Worker runs tasks for all machines that are connected to the same NATS. [Client.NewWorker]
// creates it. Its methods may be called by several goroutines at once. It is a [task.Manager] of
// its own groups.
type Worker struct {
	client *Client
	tasks  *task.Set
	c      WorkerConfig

	controls *mux[*callRun]
	rolls    *nats.Subscription
	ready    chan struct{}   // closed when it takes tasks
	groups   []*group        // sorted by name; what changes in them is guarded by mu
	lacking  map[string]bool // groups for which this machine does not have the slots
	count    sync.WaitGroup  // of goroutines that run a task or sweep

	mu         sync.Mutex // guards following
	phase      phase
	free       offload.Slots // those that no task has taken
	active     map[run]struct{}
	reconnects uint64 // of the connection, when forget looked last
	trouble    bool   // a consumer has not answered
}

// A phase is that of a Worker's life.
type phase uint8

const (
	fresh    phase = iota
	serving        // it takes tasks
	stopping       // it finishes what it has
	stopped        // it has given back what it had
)

// A run is a task that runs.
type run interface {
	beat(now time.Time) // is called at least about once a second
	giveBack()          // ends the run without a result; the task may still be returning
}

// NewWorker returns a Worker for tasks. Errors in wc name the field and the value.
func (c *Client) NewWorker(tasks *task.Set, wc WorkerConfig) (*Worker, error) {
	switch {
	case tasks == nil:
		return nil, errors.New("recyclingnats: tasks is nil, want a Set")
	case wc.Workers < 0 || wc.Workers > maxWorkers:
		return nil, fmt.Errorf("recyclingnats: Workers is %d, want zero (the default) to %d", wc.Workers, maxWorkers)
	}
	if wc.Workers == 0 {
		wc.Workers = runtime.GOMAXPROCS(0)
	}
	if wc.Grace == 0 {
		wc.Grace = defaultGrace
	}
	w := &Worker{
		client:  c,
		tasks:   tasks,
		c:       wc,
		free:    maps.Clone(wc.Slots),
		active:  map[run]struct{}{},
		lacking: map[string]bool{},
		ready:   make(chan struct{}),
	}
	if w.free == nil {
		w.free = offload.Slots{}
	}
	for name, n := range w.free {
		if n < 0 {
			return nil, fmt.Errorf("recyclingnats: Slots[%q] is %d, want zero or more", name, n)
		}
	}
	return w, w.makeGroups()
}

func (w *Worker) makeGroups() error {
	all := map[string]*group{}
	for _, name := range w.tasks.Names() {
		o, _ := w.tasks.Lookup(name)
		n := w.client.c.group(name, o)
		g := all[n]
		if g == nil {
			g = &group{name: n, need: offload.Slots{}, workers: w.c.Workers}
			all[n] = g
		}
		g.tasks = append(g.tasks, name)
		for slot, n := range o.Slots {
			g.need[slot] = max(g.need[slot], n)
		}
	}
	for name, n := range w.c.Groups {
		g := all[name]
		switch {
		case g == nil:
			return fmt.Errorf("recyclingnats: Groups has %q, of which no task is registered", name)
		case n < 0 || n > maxWorkers:
			return fmt.Errorf("recyclingnats: Groups[%q] is %d, want zero (the default) to %d", name, n, maxWorkers)
		case fit(w.free, g.need) == 0:
			return fmt.Errorf("recyclingnats: Groups has %q, whose tasks need %v, and Slots is %v: %w",
				name, g.need, w.free, task.ErrSlots)
		case n > 0:
			g.workers = n
		}
	}
	for name, g := range all {
		if _, chosen := w.c.Groups[name]; w.c.Groups != nil && !chosen {
			continue
		}
		if fit(w.free, g.need) == 0 {
			w.client.log.Warn("recyclingnats: worker does not have the slots for a group",
				"group", name, "need", g.need, "slots", w.free)
			w.lacking[name] = true
			continue
		}
		w.groups = append(w.groups, g)
	}
	slices.SortFunc(w.groups, func(a, b *group) int { return strings.Compare(a.name, b.name) })
	return nil
}

// Run serves tasks until ctx ends. Then it takes no more, finishes what it has within Grace, gives
// back the rest, and returns nil, or an error that says how many tasks have not returned yet. An
// error before that says why it could not begin. Run may be called once.
func (w *Worker) Run(ctx context.Context) error {
	if !w.enter(fresh, serving) {
		return errors.New("recyclingnats: Worker.Run was called twice")
	}
	if w.c.Place == nil {
		var names []string
		for _, g := range w.groups {
			names = append(names, g.tasks...)
		}
		if err := w.tasks.Warm(ctx, names...); err != nil {
			return err
		}
	}
	defer w.end()
	if err := w.begin(ctx); err != nil {
		return err
	}
	w.arm()
	if ctx.Err() == nil {
		close(w.ready)
	}
	w.tend(ctx)
	return w.stop()
}

// Ready returns a channel that is closed when the worker takes tasks: it has warmed up and is
// connected.
func (w *Worker) Ready() <-chan struct{} { return w.ready }

// run runs a task of g on this machine. A task that needs more slots than g has taken is unknown
// here: it came with the name of a wrong group.
func (w *Worker) run(ctx context.Context, g *group, name string, input []byte, out io.Writer) task.Outcome {
	o, _ := w.tasks.Lookup(name)
	for slot, n := range o.Slots {
		if n > g.need[slot] {
			return task.Outcome{Kind: task.Unknown, Message: name}
		}
	}
	if w.c.Place == nil {
		return w.tasks.Run(ctx, name, input, out)
	}
	return w.tasks.RunAt(ctx, w.c.Place, name, input, out)
}

// Serve connects to NATS and runs a [Worker] until ctx ends: the main function of a worker's
// process.
func Serve(ctx context.Context, c Config, tasks *task.Set, wc WorkerConfig) error {
	client, err := Connect(ctx, c)
	if err != nil {
		return err
	}
	defer client.Close()
	w, err := client.NewWorker(tasks, wc)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func (w *Worker) enter(from, to phase) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase != from {
		return false
	}
	w.phase = to
	return true
}

func (w *Worker) begin(ctx context.Context) error {
	var err error
	if w.controls, err = newMux[*callRun](w.client.nc, func(*nats.Msg) {}); err != nil {
		return err
	}
	for _, g := range w.groups {
		if err := w.subscribe(g); err != nil {
			return err
		}
	}
	if w.rolls, err = w.answerRolls(); err != nil {
		return err
	}
	for try := 0; ; try++ {
		err := w.consumers(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		w.client.log.Warn("recyclingnats: cannot create consumers", "error", err)
		if !retriable(err) || !sleep(ctx, reconnectDelay(try)) {
			return fmt.Errorf("recyclingnats: creating consumers: %w", err)
		}
	}
	w.mu.Lock()
	w.reconnects = w.client.nc.Stats().Reconnects
	w.mu.Unlock()
	return nil
}

// consumers creates those of all groups.
func (w *Worker) consumers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c := w.client
	for _, g := range w.groups {
		if err := c.consumer(ctx, c.c.callStream(), c.c.calls(), g.name, callAckWait); err != nil {
			return err
		}
		if err := c.consumer(ctx, c.c.jobStream(), c.c.jobs(), g.name, c.c.AckWait); err != nil {
			return err
		}
	}
	return nil
}

// tend does what has to be done at intervals, until ctx ends.
func (w *Worker) tend(ctx context.Context) {
	t := time.NewTicker(w.interval())
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			w.beat(now)
			w.repair(ctx)
			w.forget(now)
			w.arm()
			if sweepNow(w.interval()) {
				w.count.Add(1)
				go w.sweep(ctx)
			}
		}
	}
}

// interval is the time between two beats: enqueued tasks are reported three times in AckWait.
func (w *Worker) interval() time.Duration { return min(beatEvery, w.client.c.AckWait/3) }

func (w *Worker) runs() []run {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.active))
}

func (w *Worker) beat(now time.Time) {
	for _, r := range w.runs() {
		r.beat(now)
	}
}

// repair creates streams and consumers again if one did not answer.
func (w *Worker) repair(ctx context.Context) {
	w.mu.Lock()
	trouble := w.trouble
	w.trouble = false
	w.mu.Unlock()
	if !trouble || !w.client.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, beatEvery/2)
	defer cancel()
	if w.client.restore(ctx) != nil { // it has been logged
		return
	}
	if err := w.consumers(ctx); err != nil && ctx.Err() == nil {
		w.client.log.Warn("recyclingnats: cannot create consumers", "error", err)
	}
}

// stop ends a worker that serves.
func (w *Worker) stop() error {
	w.enter(serving, stopping)
	w.drainPulls()
	done := make(chan struct{})
	go w.await(done)
	grace := time.NewTimer(max(w.c.Grace, 0))
	defer grace.Stop()
	t := time.NewTicker(w.interval())
	defer t.Stop()
	for {
		select {
		case <-done:
			w.enter(stopping, stopped)
			return nil
		case now := <-t.C:
			w.beat(now)
		case <-grace.C:
			w.enter(stopping, stopped)
			for _, r := range w.runs() {
				r.giveBack()
			}
			_ = w.client.nc.FlushTimeout(time.Second)
			select {
			case <-done:
				return nil
			case <-time.After(time.Second):
				return fmt.Errorf("recyclingnats: %d tasks did not return after their context had ended", len(w.runs()))
			}
		}
	}
}

func (w *Worker) await(done chan<- struct{}) {
	w.count.Wait()
	close(done)
}

// end ends the subscriptions that begin has made.
func (w *Worker) end() {
	for _, l := range w.lines() {
		_ = l.sub.Unsubscribe()
	}
	if w.controls != nil {
		_ = w.controls.sub.Unsubscribe()
	}
	if w.rolls != nil {
		_ = w.rolls.Unsubscribe()
	}
}
