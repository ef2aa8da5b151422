package child

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// maxInput is the size of the largest input: it must fit into a frame.
const maxInput = math.MaxUint32 - 1<<10

// A Place runs tasks in child processes: it is a [task.Place]. Open creates it. Its methods may be
// called by several goroutines at once.
type Place struct {
	c      Config // resolved
	groups []*group
	byTask map[string]access
	done   chan struct{} // closed by await
}

// Open starts the children of all groups, and returns when they are ready. If one cannot be
// started, or ctx ends, it returns the error when all have ended. Errors in c name the field and
// the value. The Place must be stopped with Shutdown or Close.
//
// In a program that is its own child, Open must not be called before [Main].
func Open(ctx context.Context, c Config) (*Place, error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	if Is() {
		return nil, errors.New("child: Open was called in a child; call Main before it")
	}
	p := &Place{c: c, byTask: map[string]access{}, done: make(chan struct{})}
	for _, g := range c.Groups {
		p.groups = append(p.groups, &group{c: g, place: c, alive: map[*Process]bool{}})
	}
	slices.SortFunc(p.groups, func(a, b *group) int { return strings.Compare(a.c.Name, b.c.Name) })
	if err := p.open(ctx); err != nil {
		for _, g := range p.groups {
			if g.children != nil {
				g.children.Close()
				<-g.children.Done()
			}
		}
		return nil, err
	}
	for _, g := range p.groups {
		for _, name := range g.c.Tasks {
			p.byTask[name] = g.access(name)
		}
	}
	go p.await()
	return p, nil
}

// open opens all groups at the same time.
func (p *Place) open(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, g := range p.groups {
		all.Go(func() {
			if err := g.open(ctx); err != nil {
				cancel(err) // the first one counts
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// await closes p.done when all groups are done.
func (p *Place) await() {
	for _, g := range p.groups {
		<-g.children.Done()
	}
	close(p.done)
}

// Do runs a job in a child of its group: see [task.Place]. If the child is lost, the job is run
// again if it is idempotent, or if the child cannot have begun with it.
func (p *Place) Do(ctx context.Context, j *task.Job) error {
	a, ok := p.byTask[j.Name()]
	if !ok {
		return fmt.Errorf("%w: %s", task.ErrUnknown, j.Name())
	}
	input, err := j.Input()
	if err != nil {
		return err
	}
	if uint64(len(input)) > maxInput {
		return fmt.Errorf("child: input of %s has %d bytes, more than %d", j.Name(), len(input), uint64(maxInput))
	}
	begin := time.Now()
	for attempt := 1; ; attempt++ {
		o, err := a.do(ctx, j, input)
		switch {
		case err == nil:
			return j.Finish(o)
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, offload.ErrBroken):
			return err
		case attempt >= p.c.Attempts || !j.Retry() && !errors.Is(err, errUnsent):
			// Without ErrBroken, which would mean a resource of the caller.
			return fmt.Errorf("%w: %v", task.ErrLost, err)
		}
		if d := a.group.c.Timeout; d > 0 && attempt == 1 { // it is for all attempts together
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, begin.Add(d))
			defer cancel()
		}
	}
}

// Stats returns the counters of each group, by its name.
func (p *Place) Stats() map[string]offload.Stats {
	all := make(map[string]offload.Stats, len(p.groups))
	for _, g := range p.groups {
		all[g.c.Name] = g.children.Stats()
	}
	return all
}

// Shutdown stops the place gracefully: new calls are shed, waiting ones still get a child, within
// Config.Wait. It returns nil when the last task has returned and every child has ended. If ctx
// ends first it returns an error that wraps ctx's and says what is left; the place continues with
// that, until Close is called. Shut down the server first.
func (p *Place) Shutdown(ctx context.Context) error {
	errs := make([]error, len(p.groups))
	var all sync.WaitGroup
	for i, g := range p.groups {
		all.Go(func() {
			if err := g.children.Shutdown(ctx); err != nil {
				errs[i] = fmt.Errorf("child: group %q: %w", g.c.Name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Close stops the place at once: calls are shed, and the contexts of running tasks end. Children
// that do not return from theirs within Command.Grace are killed. Close does not wait for that; see
// Done.
func (p *Place) Close() {
	for _, g := range p.groups {
		g.children.Close()
	}
}

// Done returns a channel that is closed once the place has been stopped, by Shutdown or Close, the
// last task has returned and every child has ended.
func (p *Place) Done() <-chan struct{} { return p.done }
