package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/recycling-go/recycling/core/offload"
)

var (
	_ Manager = (*Pools)(nil)
	_ Manager = Routes{}
)

// A PoolConfig configures one group of [Pools]: tasks that share workers.
type PoolConfig struct {
	// Name is the name of the group: 1 to 64 letters, digits, _ and -. No two groups have the same.
	Name string

	// Tasks are the names of the tasks. Empty means all that no other group has; only one group may
	// have no Tasks.
	Tasks []string

	// Config configures the pool. Slots are those of this group only: a task that needs more gets
	// [ErrSlots]. ErrorHandler is not used.
	offload.Config
}

// Pools is a [Place] that runs tasks in this process, like [Local], with a pool of workers for each
// group of tasks, so that tasks of one group never wait for those of another. [NewPools] creates
// it. Its methods may be called by several goroutines at once. It is a [Manager]; Restart is not
// supported, because workers in this process have nothing that could be restarted.
type Pools struct {
	pools  []namedPool // sorted by name
	byTask map[string]access
	done   chan struct{} // closed by await
}

type namedPool struct {
	name  string
	tasks []string // sorted
	*offload.Pool
}

// An access is the pool of a task, with the slots that it needs.
type access struct {
	pool *offload.Pool
	err  error // why the task cannot run there
}

// NewPools returns Pools with the given groups, after it has warmed up all of their tasks: see
// [Options]. If one cannot be warmed up, NewPools returns that error. Errors in the configuration
// name the group, the field and the value. The Pools must be stopped with Shutdown or Close.
func NewPools(ctx context.Context, tasks *Set, groups ...PoolConfig) (*Pools, error) {
	groups, err := resolveGroups(tasks, groups)
	if err != nil {
		return nil, err
	}
	p := &Pools{byTask: map[string]access{}, done: make(chan struct{})}
	for _, g := range groups {
		if err = tasks.Warm(ctx, g.Tasks...); err != nil {
			break
		}
		var pool *offload.Pool
		if pool, err = offload.New(g.Config); err != nil {
			err = fmt.Errorf("task: group %q: %w", g.Name, err)
			break
		}
		p.pools = append(p.pools, namedPool{g.Name, g.Tasks, pool})
		for _, name := range g.Tasks {
			var a access
			a.pool, a.err = pool.With(tasks.tasks[name].options.Slots)
			p.byTask[name] = a
		}
	}
	go p.await()
	if err != nil {
		p.Close()
		<-p.Done()
		return nil, err
	}
	return p, nil
}

// resolveGroups checks groups, sorts them, and gives the one without tasks its own.
func resolveGroups(tasks *Set, groups []PoolConfig) ([]PoolConfig, error) {
	if tasks == nil {
		return nil, errors.New("task: the Set is nil")
	}
	groups = slices.Clone(groups)
	slices.SortStableFunc(groups, func(a, b PoolConfig) int { return strings.Compare(a.Name, b.Name) })
	if len(groups) == 0 {
		return nil, errors.New("task: there are no groups, want at least one")
	}
	groupOf := map[string]string{}
	rest := -1
	for i := range groups {
		g := &groups[i]
		g.Tasks = slices.Clone(g.Tasks)
		slices.Sort(g.Tasks)
		switch {
		case !ValidName(g.Name):
			return nil, fmt.Errorf("task: name of a group is %q, want 1 to %d letters, digits, _ and -", g.Name, MaxName)
		case i > 0 && g.Name == groups[i-1].Name:
			return nil, fmt.Errorf("task: two groups have the name %q", g.Name)
		case len(g.Tasks) == 0 && rest >= 0:
			return nil, fmt.Errorf("task: Tasks of groups %q and %q are both empty", groups[rest].Name, g.Name)
		case len(g.Tasks) == 0:
			rest = i
		}
		for _, name := range g.Tasks {
			if _, ok := tasks.Lookup(name); !ok {
				return nil, fmt.Errorf("task: Tasks of group %q has %q: %w", g.Name, name, ErrUnknown)
			}
			if other, ok := groupOf[name]; ok {
				return nil, fmt.Errorf("task: Tasks of group %q has %q, which is in group %q", g.Name, name, other)
			}
			groupOf[name] = g.Name
		}
	}
	if rest >= 0 {
		others := func(name string) bool { return groupOf[name] != "" }
		groups[rest].Tasks = slices.DeleteFunc(tasks.Names(), others)
	}
	return groups, nil
}

// await closes p.done when all pools are done.
func (p *Pools) await() {
	for _, g := range p.pools {
		<-g.Pool.Done()
	}
	close(p.done)
}

// Do runs a job on a worker of its group: see [Place].
func (p *Pools) Do(ctx context.Context, j *Job) error {
	a, ok := p.byTask[j.Name()]
	switch {
	case !ok:
		return fmt.Errorf("%w: %s", ErrUnknown, j.Name())
	case a.err != nil:
		return a.err
	}
	return runOn(ctx, a.pool, j)
}

// Groups returns the state of the groups: see [Manager].
func (p *Pools) Groups(context.Context) ([]Group, error) {
	all := make([]Group, len(p.pools))
	for i, g := range p.pools {
		s := g.Pool.Stats()
		all[i] = Group{Name: g.name, Tasks: slices.Clone(g.tasks), Workers: s.Workers, Running: s.Running, Queued: s.Queued}
	}
	return all, nil
}

// Resize changes the number of workers of a group: see [Manager] and [offload.Pool.Resize].
func (p *Pools) Resize(_ context.Context, group string, by int) (workers int, err error) {
	pool, err := p.pool(group)
	if err != nil {
		return 0, err
	}
	return pool.Resize(by)
}

// Restart returns an error that wraps [errors.ErrUnsupported].
func (p *Pools) Restart(_ context.Context, group string) error {
	if _, err := p.pool(group); err != nil {
		return err
	}
	return fmt.Errorf("task: workers of group %q are in this process and cannot be restarted: %w", group, errors.ErrUnsupported)
}

func (p *Pools) pool(group string) (*offload.Pool, error) {
	for _, g := range p.pools {
		if g.name == group {
			return g.Pool, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrGroup, group)
}

// Stats returns the counters of each group, by the name of the group.
func (p *Pools) Stats() map[string]offload.Stats {
	all := make(map[string]offload.Stats, len(p.pools))
	for _, g := range p.pools {
		all[g.name] = g.Pool.Stats()
	}
	return all
}

// Shutdown is [offload.Pool.Shutdown] for all groups at the same time. It joins their errors.
func (p *Pools) Shutdown(ctx context.Context) error {
	errs := make([]error, len(p.pools))
	var all sync.WaitGroup
	for i, g := range p.pools {
		all.Go(func() {
			if err := g.Pool.Shutdown(ctx); err != nil {
				errs[i] = fmt.Errorf("task: group %q: %w", g.name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Close is [offload.Pool.Close] for all groups.
func (p *Pools) Close() {
	for _, g := range p.pools {
		g.Pool.Close()
	}
}

// Done returns a channel that is closed when the channels of [offload.Pool.Done] of all groups are.
func (p *Pools) Done() <-chan struct{} { return p.done }
