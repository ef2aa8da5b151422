package tasktest

import (
	"context"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// patience bounds every wait of the suite. Only tests of the suite itself change it.
var patience = 60 * time.Second

// A Target is a place under test: how to start it, and what it cannot do. If all other fields are
// zero, every behaviour is tested that does not need to kill a process.
type Target struct {
	// Name is the name of the subtest that [Run] creates.
	Name string

	// Start returns a place whose workers run the tasks in [Tasks], when it is ready for them. The
	// place has the Workers, Queue, Wait, Timeout, RetryAfter and Slots of c, all workers taken
	// together. Start is called many times, also concurrently. The suite calls Close of each
	// Instance and waits until Done is closed, so Start needs no cleanup for that.
	Start func(t testing.TB, c offload.Config) *Instance

	// InProcess says that the place calls the function of the caller, in the same process, and
	// encodes nothing.
	InProcess bool

	// Processes says that each worker is a process, which a task may kill.
	Processes bool

	// Ahead is how many bytes the writer of a stream may be ahead of its reader. Zero means 8 MB.
	Ahead int

	// Except names behaviours that are skipped, with the reason for each.
	Except map[string]string
}

// An Instance is a place that has been started.
type Instance struct {
	Place    task.Place
	Shutdown func(context.Context) error // like that of offload.Pool
	Close    func()                      // like that of offload.Pool
	Done     <-chan struct{}             // closed when nothing of the place runs any more
}

// Local is the target for [task.Local].
func Local() Target {
	return Target{
		Name:      "local",
		InProcess: true,
		Start: func(t testing.TB, c offload.Config) *Instance {
			p, err := offload.New(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := Tasks.Warm(t.Context(), Tasks.Names()...); err != nil {
				t.Fatal(err)
			}
			return &Instance{Place: task.Local(p), Shutdown: p.Shutdown, Close: p.Close, Done: p.Done()}
		},
	}
}

// A behaviour is a claim about a place. The name of the function is the claim.
type behaviour func(t *test)

// tables are all behaviours by subject.
var tables = []struct {
	subject    string
	behaviours []behaviour
}{
	{"values", values},
	{"failures", failures},
	{"deadlines", deadlines},
	{"leaving", leaving},
	{"mixups", mixups},
	{"streams", streams},
	{"flow", flow},
	{"limits", limits},
	{"slots", slotUse},
	{"stopping", stopping},
	{"lost", lost},
	{"observing", observing},
	{"waiting", waiting},
}

// Run tests target for every behaviour, each in a parallel subtest of a test with the target's
// name.
func Run(t *testing.T, target Target) {
	t.Run(target.Name, func(t *testing.T) {
		known := map[string]bool{}
		for _, table := range tables {
			for _, f := range table.behaviours {
				known[nameOf(f)] = true
			}
			t.Run(table.subject, func(t *testing.T) {
				t.Parallel()
				for _, f := range table.behaviours {
					name := nameOf(f)
					t.Run(name, func(t *testing.T) {
						if reason, ok := target.Except[name]; ok {
							t.Skip("not so with this target:", reason)
						}
						t.Parallel()
						f(&test{T: t, target: target})
					})
				}
			})
		}
		for name := range target.Except {
			if !known[name] {
				t.Errorf("Target.Except: there is no behaviour %q", name)
			}
		}
	})
}

// nameOf returns the name of the function f.
func nameOf(f behaviour) string {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// A test is a testing.T with the target of this run, and the methods that behaviours use.
type test struct {
	*testing.T
	target Target
}

// start returns a place with the configuration c. It is closed at the end of the test.
func (t *test) start(c offload.Config) *Instance {
	t.Helper()
	if c.Wait == 0 {
		c.Wait = patience
	}
	if c.Workers == 0 {
		c.Workers = 2
	}
	p := t.target.Start(t, c)
	t.Cleanup(func() {
		p.Close()
		select {
		case <-p.Done:
		case <-time.After(patience):
			t.Error("the place is not done after Close")
		}
	})
	return p
}

// place returns a place with the default configuration.
func (t *test) place() task.Place {
	t.Helper()
	return t.start(offload.Config{}).Place
}

// eventually waits until cond holds.
func (t *test) eventually(what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for wait := 100 * time.Microsecond; !cond(); wait = min(2*wait, 10*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
		time.Sleep(wait)
	}
}

// receive waits for a value from ch, or until ch is closed.
func receive[V any](t *test, ch <-chan V, what string) V {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// An ending is how a call has ended.
type ending[V any] struct {
	value  V
	err    error
	panic  any
	exited bool // by runtime.Goexit
}

// start calls f on a new goroutine.
func start[V any](f func() (V, error)) <-chan ending[V] {
	ch := make(chan ending[V], 1)
	go func() {
		e := ending[V]{exited: true}
		defer func() {
			if e.exited {
				e.panic = recover()
				e.exited = e.panic == nil
			}
			ch <- e
		}()
		e.value, e.err = f()
		e.exited = false
	}()
	return ch
}

// startErr is start for a function without a result.
func startErr(f func() error) <-chan ending[struct{}] {
	return start(func() (struct{}, error) { return struct{}{}, f() })
}

// do makes a call and waits for its end.
func do[In, Out any](t *test, p task.Place, tk *task.Task[In, Out], in In) ending[Out] {
	t.Helper()
	return receive(t, start(func() (Out, error) { return tk.Do(t.Context(), p, in) }), "end of the call")
}

// must makes a call that must succeed.
func must[In, Out any](t *test, p task.Place, tk *task.Task[In, Out], in In) Out {
	t.Helper()
	e := do(t, p, tk, in)
	if e.err != nil || e.panic != nil || e.exited {
		t.Fatalf("%s ended with the error %v, the panic %v, Goexit: %v", tk.Name(), e.err, e.panic, e.exited)
	}
	return e.value
}
