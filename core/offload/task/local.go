package task

import (
	"context"

	"github.com/recycling-go/recycling/core/offload"
)

// Local returns a [Place] that runs tasks in this process, on the workers of p, as [offload.Do]
// does. Inputs and outputs are not encoded: caller and task have the same values. A task takes its
// slots from those of [offload.Config]. Options.Warm is not called. [Pools] has several pools,
// warms up their tasks, and can be managed.
func Local(p *offload.Pool) Place { return local{p} }

type local struct{ pool *offload.Pool }

// Stats returns the counters of the pool, for [Observe].
func (l local) Stats() offload.Stats { return l.pool.Stats() }

func (l local) Do(ctx context.Context, j *Job) error {
	pool := l.pool
	if slots := j.Options().Slots; len(slots) > 0 {
		var err error
		if pool, err = pool.With(slots); err != nil {
			return err
		}
	}
	return runOn(ctx, pool, j)
}

// runOn runs j on a worker of p.
func runOn(ctx context.Context, p *offload.Pool, j *Job) error {
	_, err := offload.Do(ctx, p, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, j.Run(ctx)
	})
	return err
}
