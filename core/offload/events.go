package offload

import (
	"fmt"
	"log"
	"runtime/debug"
)

// An Event is something that has happened to a pool: see [Config.Event].
type Event struct {
	Kind EventKind

	// Resource is the resource that was opened, replaced or closed. It must not be used, only
	// looked at. Nil for other kinds.
	Resource any

	// Err says why a resource has failed or was replaced. Nil for other kinds.
	Err error
}

// An EventKind says what has happened.
type EventKind uint8

const (
	WorkerAdded      EventKind = iota // by Resize
	WorkerRemoved                     // by Resize; its last task has returned, its resource is closed
	ResourceOpened                    // and is about to be used
	ResourceReplaced                  // by a new one, though it had not failed
	ResourceFailed                    // or could not be opened or closed
	ResourceClosed                    // with or without an error
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
		p.told(func() { p.c.Event(e) })
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

// told calls f, which is a function of the configuration that is told something. Its panic must not
// end the process, nor what called it.
func (p *pool) told(f func()) {
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
			log.Printf("offload: panic in Config.Panic: %v, while it was told of: %v\n%s", again, v, stack)
		}
	}()
	p.c.Panic(v, stack)
}
