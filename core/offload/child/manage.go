package child

import (
	"context"
	"fmt"

	"github.com/recycling-go/recycling/core/offload/task"
)

var _ task.Manager = (*Place)(nil)

// Groups returns the state of the groups, sorted by name: see [task.Manager]. Memory is known only
// on Linux.
func (p *Place) Groups(context.Context) ([]task.Group, error) {
	all := make([]task.Group, len(p.groups))
	for i, g := range p.groups {
		all[i] = g.state()
	}
	return all, nil
}

// Resize changes the number of children in a group: see [task.Manager] and
// [offload.Resources.Resize].
func (p *Place) Resize(_ context.Context, group string, by int) (workers int, err error) {
	g, err := p.group(group)
	if err != nil {
		return 0, err
	}
	return g.children.Resize(by)
}

// Restart replaces the children of a group without losing a task: see [task.Manager] and
// [offload.Resources.Restart].
func (p *Place) Restart(ctx context.Context, group string) error {
	g, err := p.group(group)
	if err != nil {
		return err
	}
	return g.children.Restart(ctx)
}

func (p *Place) group(name string) (*group, error) {
	for _, g := range p.groups {
		if g.c.Name == name {
			return g, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", task.ErrGroup, name)
}
