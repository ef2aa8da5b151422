package task_test

import (
	"context"
	"slices"
	"testing"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// Several tasks have the same place, which is itself made of Routes.
func TestRoutesInRoutes(t *testing.T) {
	ctx := context.Background()
	var tasks task.Set
	sleeper(&tasks, "a", 0, task.Options{})
	pools := newPools(t, &tasks, task.PoolConfig{Name: "x", Config: offload.Config{Workers: 1}})
	inner := task.Routes{Default: task.Observe(pools, "pools", new(nobody))}
	r := task.Routes{Tasks: map[string]task.Place{"a": inner, "b": task.Observe(inner, "inner", new(nobody)), "c": &inner}, Default: inner}
	if got, err := r.Groups(ctx); err != nil || !slices.Equal(names(got), []string{"x"}) {
		t.Error(names(got), err)
	}
	if n, err := r.Resize(ctx, "x", 1); n != 2 || err != nil {
		t.Error(n, err)
	}
}

// A wrapped place has a type that can be compared, and a value that cannot.
type wrapped struct{ task.Manager }

func (wrapped) Do(context.Context, *task.Job) error { return nil }

func TestRoutesWithPlacesThatCannotBeCompared(t *testing.T) {
	var tasks task.Set
	sleeper(&tasks, "a", 0, task.Options{})
	pools := newPools(t, &tasks, task.PoolConfig{Name: "x", Config: offload.Config{Workers: 1}})
	place := wrapped{many{pools}}
	r := task.Routes{Tasks: map[string]task.Place{"a": place}, Default: place}
	if got, err := r.Groups(context.Background()); err != nil || !slices.Equal(names(got), []string{"x", "x"}) {
		t.Error(names(got), err)
	}
}

// many is a Manager that cannot be compared.
type many []*task.Pools

func (m many) Groups(ctx context.Context) ([]task.Group, error) { return m[0].Groups(ctx) }
func (m many) Restart(ctx context.Context, group string) error  { return m[0].Restart(ctx, group) }
func (m many) Resize(ctx context.Context, group string, by int) (int, error) {
	return m[0].Resize(ctx, group, by)
}
