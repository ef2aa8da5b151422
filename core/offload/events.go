package offload

import (
	"fmt"
	"log"
	"runtime/debug"
)

// An Event is something that has happened to a pool: see [Config.Event].
type Event struct {
	Kind EventKind // what has happened

	// Resource is the resource that was opened, replaced or closed. Event may compare it and read
	// what identifies it, but must not use it otherwise. It is nil for other kinds.
	Resource any

	// Err says why a resource has failed or was replaced. It is nil for other kinds.
	Err error
}

// An EventKind says what has happened.
type EventKind uint8

const (
	WorkerAdded      EventKind = iota // Resize added a worker
	WorkerRemoved                     // a worker that Resize removes has ended, and its resource is closed
	ResourceOpened                    // a resource was opened, and is about to be used
	ResourceReplaced                  // a new resource replaced one that had not failed
	ResourceFailed                    // a resource failed, or could not be opened or closed
	ResourceClosed                    // a resource was closed, with or without an error
)

func (k EventKind) String() string {
	switch k {
	case WorkerAdded:
		return "WorkerAdded"
	case WorkerRemoved:
		return "WorkerRemoved"
	case ResourceOpened:
		return "ResourceOpened"
	case ResourceReplaced:
		return "ResourceReplaced"
	case ResourceFailed:
		return "ResourceFailed"
	case ResourceClosed:
		return "ResourceClosed"
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// event calls Config.Event.
func (p *pool) event(e Event) {
	if p.c.Event != nil {
		p.callback(func() { p.c.Event(e) })
	}
}

// eventLocked has Config.Event called on a goroutine of its own. One of pond's might be free only
// when a task has ended.
func (p *pool) eventLocked(e Event) {
	if p.c.Event != nil {
		p.pending++
		go p.deliver(e)
	}
}

func (p *pool) deliver(e Event) {
	defer func() {
		p.mu.Lock()
		p.pending--
		p.endedLocked()
		p.unlock(nil)
	}()
	p.event(e)
}

// callback calls f, which calls a function of the configuration, such as Event or Failed. If f
// panics, callback reports that and returns: the panic must not end the process, nor the caller.
func (p *pool) callback(f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			p.panicked(v, debug.Stack())
		}
	}()
	f()
	returned = true
}

// panicked calls Config.Panic, which may panic too.
func (p *pool) panicked(v any, stack []byte) {
	defer func() {
		if again := recover(); again != nil {
			log.Printf("offload: panic in Config.Panic: %v, which was called for this panic: %v\n%s", again, v, stack)
		}
	}()
	p.c.Panic(v, stack)
}
