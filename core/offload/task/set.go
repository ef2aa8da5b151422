package task

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// Options say how a task may be run. The zero value is ready to use.
type Options struct {
	// Encoding encodes the input and the output if the task runs in another process. Nil means
	// [JSON].
	Encoding Encoding

	// Slots are what the task occupies while it runs, such as {"GPU": 1}. If the place has fewer,
	// the caller gets [ErrSlots]. Nil means nothing. A negative amount is an error.
	Slots offload.Slots

	// Idempotent says that running the task twice does no harm. Then it is run again if the worker
	// that runs it is lost; otherwise its caller gets [ErrLost].
	Idempotent bool

	// Timeout is how long a call may take, including its time in the queue: the contexts of the
	// caller's call and of the task end then. Zero means no limit except that of the place and of
	// the caller's context. Negative is an error.
	Timeout time.Duration

	// Warm prepares a worker for the task: it loads a model, opens a database. It is called once in
	// each process that runs the task, before the first task begins, but not by [Local]. If it
	// returns an error, the process gets no tasks: [NewPools] and workers on other machines return
	// the error, and a child process is started again later. Nil means that there is nothing to do.
	Warm func(context.Context) error
}

// A Set has the tasks of a program, by name. The zero value is an empty Set. [Register] and
// [RegisterStream] add to it while the program starts; after that its methods may be called by
// several goroutines at once.
type Set struct {
	tasks map[string]*entry
}

// An entry is a task without its types.
type entry struct {
	name    string
	options Options
	streams bool
	run     func(ctx context.Context, input []byte, w io.Writer) ([]byte, error)
}

func (s *Set) add(e *entry) {
	if !ValidName(e.name) {
		panic(fmt.Sprintf("task: name is %q, want 1 to %d letters, digits, _ and -", e.name, MaxName))
	}
	if e.options.Timeout < 0 {
		panic(fmt.Sprintf("task: Timeout of %s is %v, want zero (no limit) or more", e.name, e.options.Timeout))
	}
	for slot, n := range e.options.Slots {
		if n < 0 {
			panic(fmt.Sprintf("task: Slots[%q] of %s is %d, want zero or more", slot, e.name, n))
		}
	}
	if s.tasks[e.name] != nil {
		panic("task: " + e.name + " is registered twice")
	}
	if e.options.Encoding == nil {
		e.options.Encoding = JSON
	}
	if s.tasks == nil {
		s.tasks = map[string]*entry{}
	}
	s.tasks[e.name] = e
}

// MaxName is the length of the longest name of a task or of a group of tasks.
const MaxName = 64

// ValidName reports whether name may be the name of a task or of a group of tasks: 1 to [MaxName]
// letters, digits, _ and -. Such a name can be part of a NATS subject, of a file name and of a
// metric.
func ValidName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return name != "" && len(name) <= MaxName
}

// Names returns the names of all tasks, sorted.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.tasks)) }

// Lookup returns the options of a task, and whether the Set has it.
func (s *Set) Lookup(name string) (Options, bool) {
	e := s.tasks[name]
	if e == nil {
		return Options{}, false
	}
	return e.options, true
}

// Warm calls Options.Warm of the named tasks, one after the other, and returns the first error. A
// panic is returned as an error too.
func (s *Set) Warm(ctx context.Context, names ...string) error {
	for _, name := range names {
		e := s.tasks[name]
		if e == nil {
			return fmt.Errorf("%w: %s", ErrUnknown, name)
		}
		if e.options.Warm == nil {
			continue
		}
		if err := e.warm(ctx); err != nil {
			return fmt.Errorf("task: warming up %s: %w", name, err)
		}
	}
	return nil
}

func (e *entry) warm(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return e.options.Warm(ctx)
}

// Run runs a task with encoded input in this process, for a [Place] that got the call from another
// process. A streaming task writes to w. The Outcome says how the task ended, even if it panicked.
// Run does not apply Options.Timeout and Options.Slots.
func (s *Set) Run(ctx context.Context, name string, input []byte, w io.Writer) Outcome {
	ended := make(chan Outcome, 1)
	// On a goroutine of its own, because the task may call runtime.Goexit.
	go s.RunHere(ctx, name, input, w, func(o Outcome) { ended <- o })
	return <-ended
}

// RunHere is Run on the caller's goroutine: it calls done with the outcome, once. If the task calls
// runtime.Goexit, the goroutine ends when done has returned, and RunHere does not return.
func (s *Set) RunHere(ctx context.Context, name string, input []byte, w io.Writer, done func(Outcome)) {
	e := s.tasks[name]
	if e == nil {
		done(Outcome{Kind: Unknown, Message: name})
		return
	}
	e.runTo(ctx, input, w, done)
}
