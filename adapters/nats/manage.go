package recyclingnats

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/recycling-go/recycling/core/offload/task"
)

var _ task.Manager = (*Worker)(nil)

// Groups returns the groups that this worker serves. Queued is how many calls wait at NATS, for
// workers of any machine.
func (w *Worker) Groups(ctx context.Context) ([]task.Group, error) {
	w.mu.Lock()
	list := make([]task.Group, 0, len(w.groups))
	for _, g := range w.groups {
		list = append(list, task.Group{
			Name: g.name, Tasks: slices.Clone(g.tasks), Workers: g.workers, Running: g.tasksRunning,
		})
	}
	w.mu.Unlock()
	for i := range list {
		c, err := w.client.js.Consumer(ctx, w.client.c.callStream(), list[i].Name)
		if err != nil {
			return nil, fmt.Errorf("recyclingnats: group %s: %w", list[i].Name, err)
		}
		list[i].Queued = int(min(c.CachedInfo().NumPending, 1<<31-1))
	}
	return list, nil
}

// Resize is that of [task.Manager]. A group has 1 to 16,384 workers on each machine.
func (w *Worker) Resize(_ context.Context, group string, by int) (int, error) {
	n, err := w.resize(group, by)
	if err == nil {
		w.arm()
	}
	return n, err
}

func (w *Worker) resize(group string, by int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.groupLocked(group)
	switch {
	case g == nil:
		return 0, fmt.Errorf("%w: %s", task.ErrGroup, group)
	case by < 1-g.workers || by > maxWorkers-g.workers:
		return 0, fmt.Errorf("%w: %s has %d, which is not to change by %d: want 1 to %d",
			task.ErrWorkers, group, g.workers, by, maxWorkers)
	}
	g.workers += by
	return g.workers, nil
}

// Restart replaces the processes of the group if WorkerConfig.Place is a [task.Manager] that has a
// group of that name. Tasks that run in this process have no workers that could be replaced: then
// the error wraps errors.ErrUnsupported. To replace the process, start another one and end this one
// with SIGTERM.
func (w *Worker) Restart(ctx context.Context, group string) error {
	w.mu.Lock()
	g := w.groupLocked(group)
	w.mu.Unlock()
	if g == nil {
		return fmt.Errorf("%w: %s", task.ErrGroup, group)
	}
	if m, ok := w.c.Place.(task.Manager); ok {
		return m.Restart(ctx, group)
	}
	return fmt.Errorf("recyclingnats: group %s runs in this process: %w", group, errors.ErrUnsupported)
}

func (w *Worker) groupLocked(name string) *group {
	for _, g := range w.groups {
		if g.name == name {
			return g
		}
	}
	return nil
}
