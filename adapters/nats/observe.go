package recyclingnats

import (
	"context"

	"github.com/recycling-go/recycling/core/observe"
)

// ObserveBacklog makes observers that have the method AddBacklog of an [observe.TaskRecorder]
// record [Client.Backlog], under the name of the place that task.Observe was given with c.
func (c *Client) ObserveBacklog(place string, observers ...observe.TaskObserver) {
	for _, o := range observers {
		if adder, ok := o.(interface {
			AddBacklog(string, func(context.Context) ([]observe.Backlog, error))
		}); ok {
			adder.AddBacklog(place, c.backlog)
		}
	}
}

func (c *Client) backlog(ctx context.Context) ([]observe.Backlog, error) {
	list, err := c.Backlog(ctx)
	all := make([]observe.Backlog, len(list))
	for i, b := range list {
		all[i] = observe.Backlog(b)
	}
	return all, err
}
