package child

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// A group is the children that run the same tasks.
type group struct {
	c        Group  // resolved
	place    Config // resolved
	children *offload.Resources[*Process]

	mu    sync.Mutex // guards following
	alive map[*Process]bool
	lost  uint64 // children that have failed
}

// An access is the group of a task.
type access struct {
	group    *group
	children *offload.Resources[*Process] // those of group, with the slots of the task
	err      error                        // why no child can run it
}

// open starts the children of g.
func (g *group) open(ctx context.Context) (err error) {
	r := g.c.ResourceConfig
	r.Open, r.Close, r.Worn = g.start, g.end, g.worn
	if g.children, err = offload.NewResources(ctx, r); err != nil {
		return fmt.Errorf("child: group %q: %w", g.c.Name, err)
	}
	return nil
}

// access returns the access to g, which is open, for one of its tasks.
func (g *group) access(name string) access {
	o, _ := g.place.Tasks.Lookup(name)
	a := access{group: g}
	a.children, a.err = g.children.With(o.Slots)
	return a
}

// start is offload.ResourceConfig.Open.
func (g *group) start(ctx context.Context, failed func(error)) (*Process, error) {
	p, err := g.c.Command.start(ctx, failed, g.c.Tasks, func(pid int, task string) { g.place.Warming(g.c.Name, pid, task) })
	if err != nil {
		return nil, err
	}
	p.stash = g.place.Stash
	g.mu.Lock()
	defer g.mu.Unlock()
	g.alive[p] = true
	return p, nil
}

// end is offload.ResourceConfig.Close.
func (g *group) end(p *Process) error {
	failed := p.setState(closing) == gone
	g.mu.Lock()
	delete(g.alive, p)
	if failed {
		g.lost++
	}
	g.mu.Unlock()
	return p.Close()
}

// worn is offload.ResourceConfig.Worn.
func (g *group) worn(p *Process) error {
	if why := p.worn(g.c.MaxMemory); why != nil || g.c.Worn == nil {
		return why
	}
	return g.c.Worn(p)
}

// do runs a job in one of the group's children.
func (a access) do(ctx context.Context, j *task.Job, input []byte) (task.Outcome, error) {
	if a.err != nil {
		return task.Outcome{}, a.err
	}
	return offload.Use(ctx, a.children, func(ctx context.Context, p *Process) (task.Outcome, error) {
		return p.run(ctx, j, input)
	})
}

// state returns the state of g for its management.
func (g *group) state() task.Group {
	s := g.children.Stats()
	g.mu.Lock()
	alive, lost := make([]*Process, 0, len(g.alive)), g.lost
	for p := range g.alive {
		alive = append(alive, p)
	}
	g.mu.Unlock()
	state := task.Group{
		Name: g.c.Name, Tasks: slices.Sorted(slices.Values(g.c.Tasks)),
		Workers: s.Workers, Running: s.Running, Queued: s.Queued,
		Restarts: s.Replaced + lost, Oldest: s.Oldest,
	}
	for _, p := range alive {
		if n, err := residentMemory(p.Pid()); err == nil {
			state.Memory += n
		}
	}
	return state
}
