package recyclingnats

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/recycling-go/recycling/core/offload/task"
)

// rollWithin is how long a client waits for the workers' answers.
const rollWithin = 500 * time.Millisecond

// Answers to the question which workers run a group.
var (
	rollServes = []byte("serves")
	rollLacks  = []byte("lacks") // its machine does not have the slots
)

func (c *Config) rollSubject(group string) string { return c.Name + ".roll." + group }

// hopeless reports whether workers know the group of a job, but none of them has the slots that it
// needs. Without workers there is hope: one may be started.
func (c *Client) hopeless(ctx context.Context, j *task.Job) bool {
	if !needs(j.Options().Slots) {
		return false
	}
	inbox := c.nc.NewInbox()
	answers := make(chan *nats.Msg, 64)
	s, err := c.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return false
	}
	defer func() { _ = s.Unsubscribe() }()
	if c.nc.PublishRequest(c.c.rollSubject(c.c.group(j.Name(), j.Options())), inbox, nil) != nil {
		return false
	}
	t := time.NewTimer(rollWithin)
	defer t.Stop()
	lacks := false
	for {
		select {
		case m := <-answers:
			switch string(m.Data) {
			case string(rollServes):
				return false
			case string(rollLacks):
				lacks = true
			default: // nobody listens
				return false
			}
		case <-t.C:
			return lacks
		case <-ctx.Done():
			return false
		}
	}
}

// answerRolls answers such questions until the subscription ends.
func (w *Worker) answerRolls() (*nats.Subscription, error) {
	serves := map[string]bool{}
	for _, g := range w.groups {
		serves[g.name] = true
	}
	return w.client.nc.Subscribe(w.client.c.rollSubject("*"), func(m *nats.Msg) {
		group := lastToken(m.Subject)
		switch {
		case serves[group]:
			_ = m.Respond(rollServes)
		case w.lacking[group]:
			_ = m.Respond(rollLacks)
		}
	})
}
