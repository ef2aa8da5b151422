// Package places opens the places in which benchmarks run their tasks: in this process, in child
// processes, and on workers behind NATS, here and on three hosts. For each place there is a floor:
// the exchange that a call cannot do without, so that it can be measured beside the call.
//
// Some places start this program again: see [Main].
package places

import (
	"context"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

// A Config says what a place is like. Tasks must be among those of [Main].
type Config struct {
	Tasks   *task.Set     `json:"-"`
	Workers int           // how many tasks run at the same time; at least one
	Queue   int           // how many calls may wait for a worker
	Wait    time.Duration // how long a call may wait, as in offload.Config
}

// A Place is where tasks run. All lists every one.
type Place struct {
	Name  string
	About string // what it is
	Floor string // what OpenFloor measures
	open  func(context.Context, Config) (*Opened, error)
	floor func(context.Context, *Opened) (call func(context.Context) error, stop func(), err error)
}

// An Opened place must be closed.
type Opened struct {
	task.Place
	Close func()
}

// All has all places. Hosts, which needs network namespaces, is the last.
var All = []Place{Local, Children, NATS, Hosts}

var (
	Local = Place{"in process", "task.Local: a pool in this process",
		"a goroutine is woken by a channel, and wakes the caller", openLocal, handOver}
	Children = Place{"child processes", "a process for each worker",
		"64 bytes to another process and back, through two pipes", openChildren, twoPipes}
	NATS = Place{"NATS", "the embedded server, and a worker in this process",
		"a request of NATS and its reply, in this process", openNATS, requestHere}
	Hosts = Place{"NATS, three hosts", "three servers that keep three copies, and the workers on the same hosts, in network namespaces; calls come from outside",
		"a request of NATS and its reply, to a worker on one of the hosts", openHosts, requestThere}
)

// Open opens the place. The error wraps hosts.ErrUnsupported if the place cannot be on this
// machine.
func (p Place) Open(ctx context.Context, c Config) (*Opened, error) { return p.open(ctx, c) }

// OpenFloor returns a function that does what a call of the place cannot do without. One goroutine
// at a time may call it. The caller must call stop before it closes the place.
func (p Place) OpenFloor(ctx context.Context, o *Opened) (call func(context.Context) error, stop func(), err error) {
	return p.floor(ctx, o)
}

// Names returns the names of All.
func Names() []string {
	var names []string
	for _, p := range All {
		names = append(names, p.Name)
	}
	return names
}

func (c Config) limits() offload.Config {
	return offload.Config{Workers: c.Workers, Queue: c.Queue, Wait: c.Wait}
}

func openLocal(_ context.Context, c Config) (*Opened, error) {
	pool, err := offload.New(c.limits())
	if err != nil {
		return nil, err
	}
	return &Opened{task.Local(pool), func() {
		pool.Close()
		<-pool.Done()
	}}, nil
}

func handOver(context.Context, *Opened) (func(context.Context) error, func(), error) {
	ask, answer := make(chan struct{}), make(chan struct{})
	go func() {
		for range ask {
			answer <- struct{}{}
		}
		close(answer)
	}()
	call := func(context.Context) error {
		ask <- struct{}{}
		<-answer
		return nil
	}
	return call, func() {
		close(ask)
		<-answer
	}, nil
}

func openChildren(ctx context.Context, c Config) (*Opened, error) {
	one := process{Role: roleChild}
	g := child.Group{Name: "bench", Command: child.Command{New: one.command}}
	g.Config = c.limits()
	p, err := child.Open(ctx, child.Config{Tasks: c.Tasks, Groups: []child.Group{g}})
	if err != nil {
		return nil, err
	}
	return &Opened{p, func() {
		p.Close()
		<-p.Done()
	}}, nil
}
