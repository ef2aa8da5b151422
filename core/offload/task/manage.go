package task

import (
	"context"
	"errors"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

var (
	// ErrGroup reports that a Manager has no group of that name, or that several of its places have
	// one.
	ErrGroup = errors.New("task: no such group of tasks")

	// ErrWorkers reports that a group cannot have so few or so many workers.
	ErrWorkers = offload.ErrWorkers
)

// A Manager is a [Place] whose workers can be watched and changed while it runs. Its methods may be
// called by several goroutines at once. Package manage serves it over HTTP.
//
// If a group is unknown the error wraps [ErrGroup]. If a place cannot do what is asked, it wraps
// [errors.ErrUnsupported]. The context limits only the call: a change that has begun when the
// context ends may still happen.
type Manager interface {
	// Groups returns the groups, sorted by name. It may return some groups together with an error
	// about others.
	Groups(ctx context.Context) ([]Group, error)

	// Resize adds by workers to a group, or removes -by workers if by is negative, and returns the
	// new number of workers. It does not wait until new workers are ready. A worker that is removed
	// ends its task first. If the number would be less than one or more than the place allows, the
	// error wraps [ErrWorkers], and nothing changes.
	Resize(ctx context.Context, group string, by int) (workers int, err error)

	// Restart replaces the workers of a group without losing a task, and returns when all that
	// it had at the time of the call have been replaced or have ended.
	Restart(ctx context.Context, group string) error
}

// A Group is the state of tasks that share workers, at one moment.
type Group struct {
	Name  string   `json:"name"`
	Tasks []string `json:"tasks"` // sorted; empty means all that are in no other group

	Workers int `json:"workers"` // workers, without those that Resize is still removing
	Running int `json:"running"` // workers that run a task
	Queued  int `json:"queued"`  // calls that wait for a worker

	Restarts uint64    `json:"restarts"`        // workers replaced so far, for whatever reason
	Oldest   time.Time `json:"oldest,omitzero"` // when the oldest worker was started; zero if unknown
	Memory   int64     `json:"memory,omitzero"` // resident memory of all workers, in bytes; zero if unknown
}
