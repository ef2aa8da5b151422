package recyclingnats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/recycling-go/recycling/core/offload"
)

// A Backlog is what there is to do of one task, on all machines together.
type Backlog struct {
	Task     string        `json:"task"`
	Enqueued int           `json:"enqueued"` // enqueued tasks that are not done: queued, running or failed
	Oldest   time.Duration `json:"oldest"`   // the age of the oldest of them, in nanoseconds; zero if there is none
	Calls    int           `json:"calls"`    // calls that wait for a worker
}

// A listing is the last answer of Backlog.
type listing struct {
	turn chan struct{} // has a value while somebody asks NATS, and guards following
	list []Backlog
	at   time.Time
	cost time.Duration // of asking NATS
}

const (
	listShare = 10               // of the time, NATS lists subjects in one part at most
	listLimit = 30 * time.Second // for which a listing may be used again
)

// Backlog returns the backlogs of all tasks that have one, sorted by name. NATS lists the subjects
// of all enqueued tasks for that, because a work queue can count only whole groups, so the cost
// grows with their number. However often Backlog is called, a client asks only a tenth of the time:
// it gives the same answer again for nine times as long as that took, and at most 30 seconds. After
// Close the error wraps [offload.ErrClosed].
func (c *Client) Backlog(ctx context.Context) ([]Backlog, error) {
	l := &c.listing
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-l.turn }()
	if c.nc.IsClosed() {
		return nil, c.shed(offload.ErrClosed)
	}
	if age := time.Since(l.at); l.list == nil || age > min((listShare-1)*l.cost, listLimit) {
		begin := time.Now()
		list, err := c.list(ctx)
		if err != nil {
			return nil, err
		}
		l.list, l.at, l.cost = list, time.Now(), time.Since(begin)
	}
	list := slices.Clone(l.list)
	for i := range list {
		if list[i].Oldest > 0 {
			list[i].Oldest += time.Since(l.at)
		}
	}
	return list, nil
}

func (c *Client) list(ctx context.Context) ([]Backlog, error) {
	all := map[string]*Backlog{}
	of := func(name string) *Backlog {
		if all[name] == nil {
			all[name] = &Backlog{Task: name}
		}
		return all[name]
	}
	_, waiting, err := c.subjects(ctx, c.c.callStream())
	if err != nil {
		return nil, err
	}
	for subject, n := range waiting.State.Subjects {
		of(lastToken(subject)).Calls += int(n)
	}
	s, enqueued, err := c.subjects(ctx, c.c.jobStream())
	if err != nil {
		return nil, err
	}
	for subject, n := range enqueued.State.Subjects {
		_, name, _ := address(subject)
		of(name).Enqueued += int(n)
	}
	list := []Backlog{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b := all[name]
		if b.Enqueued > 0 {
			m, err := s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(c.c.jobSubject("*", name, ">")))
			switch {
			case err == nil:
				// Both times are those of NATS.
				b.Oldest = max(enqueued.TimeStamp.Sub(m.Time), 0)
			case !errors.Is(err, jetstream.ErrMsgNotFound):
				return nil, fmt.Errorf("recyclingnats: backlog: %w", err)
			}
		}
		list = append(list, *b)
	}
	return list, nil
}

// subjects returns a stream, and what it has of the subjects that tasks may have.
func (c *Client) subjects(ctx context.Context, stream string) (jetstream.Stream, *jetstream.StreamInfo, error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return nil, nil, fmt.Errorf("recyclingnats: backlog: %w", err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(c.c.Name+".>"))
	if err != nil {
		return nil, nil, fmt.Errorf("recyclingnats: backlog: %w", err)
	}
	maps.DeleteFunc(info.State.Subjects, func(subject string, _ uint64) bool { return strings.Count(subject, ".") < 3 })
	return s, info, nil
}
