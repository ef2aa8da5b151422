package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/offload/task"
)

// CodeOutput is the code of the [task.Error] of a task whose output is larger than
// [Command.MaxAnswer].
const CodeOutput = "output"

// roleVariable is the environment variable that makes a process a child: see Main.
const roleVariable = "RECYCLING_CHILD"

// roleTasks is the value of roleVariable in a child that serves tasks.
const roleTasks = "tasks"

// serves says whether ServeTasks was called.
var serves atomic.Bool

// Is reports whether this process was started by a [Place] to serve tasks. Its environment says so.
func Is() bool { return serves.Load() || os.Getenv(roleVariable) == roleTasks }

// Main makes a program its own child: it does nothing in the server process, and in a child it
// serves the tasks, and ends the process when the parent no longer needs it. Call it at the
// beginning of main, when all tasks are registered, and before anything that only the server does:
//
//	func main() {
//		child.Main(&tasks)
//		...
//	}
//
// A child is a process for which [Is] returns true. The environment of processes that it starts no
// longer says so.
func Main(tasks *task.Set) {
	if !Is() {
		return
	}
	if err := ServeTasks(context.Background(), tasks); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// ServeTasks runs in a child of a [Place]. It calls Options.Warm of the tasks that the parent wants
// to run here, reports that the child is ready, and runs tasks, one at a time. It returns nil when
// standard input ends, after the running task has returned, and an error if it stops for any other
// reason. ctx is the parent of the contexts of all tasks; when it ends, running tasks are canceled,
// but ServeTasks goes on until standard input ends.
//
// What is said about signals, a parent that dies, and os.Stdout at [Serve] is true here too. The
// context of a task ends when its caller has left, at the deadline, and when the parent is gone.
func ServeTasks(ctx context.Context, tasks *task.Set) error {
	in, out := takePipes()
	serves.Store(true)
	os.Unsetenv(roleVariable)
	return newTaskServer(ctx, in, out, tasks).serve()
}

// A taskServer runs the tasks of a child.
type taskServer struct {
	*server
	ctx   context.Context
	tasks *task.Set
	err   error // why the worker has ended; written before done is closed
}

func newTaskServer(ctx context.Context, in io.Reader, out io.Writer, tasks *task.Set) *taskServer {
	s := &taskServer{server: newServer(in, out), ctx: ctx, tasks: tasks}
	s.control = true
	return s
}

func (s *taskServer) serve() error {
	go s.work()
	<-s.done
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// work is the worker: it prepares for the tasks, and then runs them.
func (s *taskServer) work() {
	if err := s.prepare(); err != nil {
		s.quit(err)
		return
	}
	s.rest()
}

// rest is the worker after its preparations.
func (s *taskServer) rest() {
	for {
		f, err := s.next()
		if err == nil {
			err = s.run(f)
		}
		if err != nil {
			s.quit(err)
			return
		}
	}
}

// quit ends the worker.
func (s *taskServer) quit(err error) {
	s.err = err
	s.stop()
}

// prepare reads for which tasks to prepare, and calls their Warm.
func (s *taskServer) prepare() error {
	f, err := s.next()
	if err != nil {
		return err
	}
	if f.kind != setup {
		return fmt.Errorf("child: a frame of kind %d, want the setup", f.kind)
	}
	names, err := parseSetup(f.payload)
	if err != nil {
		return s.refuse(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	t := &running{cancel: cancel}
	s.begin(t)
	if len(names) > 0 {
		s.watch(t) // the parent may die during a long warm-up
	}
	err = s.warmAll(ctx, names)
	s.end() // before the parent learns of it, and sends a task
	if err != nil {
		return s.refuse(err)
	}
	return s.out.send(frame{})
}

// warmAll prepares for tasks, and tells the parent the name of each before it begins with it.
func (s *taskServer) warmAll(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := s.out.send(frame{kind: warming, payload: []byte(name)}); err != nil {
			return err
		}
		if err := s.warm(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// warm calls a task's Warm on a goroutine of its own, which may call runtime.Goexit.
func (s *taskServer) warm(ctx context.Context, name string) error {
	result := make(chan error, 1)
	go func() {
		err := fmt.Errorf("task: warming up %s: runtime.Goexit was called", name)
		defer func() { result <- err }()
		err = s.tasks.Warm(ctx, name)
	}()
	return <-result
}

// refuse tells the parent why there will be no child.
func (s *taskServer) refuse(err error) error {
	text := err.Error()
	s.out.send(frame{kind: failed, payload: []byte(text[:min(len(text), maxText)])})
	return err
}

// run runs the task that f asks for.
func (s *taskServer) run(f frame) (err error) {
	if f.kind != ask {
		return fmt.Errorf("child: a frame of kind %d, want a task", f.kind)
	}
	q, err := parseQuestion(f.payload)
	if err != nil {
		return err
	}
	t := &running{server: s.server, id: f.id}
	t.Context, t.cancel = s.context(&q)
	defer t.cancel()
	t.stream.t, t.stream.credit = t, window
	returned := false
	defer func() {
		if !returned { // the task has called runtime.Goexit
			go s.rest()
		}
	}()
	s.begin(t)
	s.tasks.RunHere(t, q.name, q.input, &t.stream, func(o task.Outcome) {
		t.cancel()
		t.stream.end()
		t.stash.end()
		s.end()
		err = s.answer(t.id, &o, q.maxAnswer)
	})
	returned = true
	return err
}

// context returns the context of a task.
func (s *taskServer) context(q *question) (context.Context, context.CancelFunc) {
	if q.left > 0 {
		return context.WithTimeout(s.ctx, q.left)
	}
	return context.WithCancel(s.ctx)
}

// answer sends the outcome of a task.
func (s *taskServer) answer(id uint64, o *task.Outcome, limit uint32) error {
	if uint64(len(o.Output)) > uint64(limit) {
		*o = task.Outcome{Kind: task.Failed, Code: CodeOutput,
			Message: fmt.Sprintf("output of %d bytes is more than MaxAnswer, which is %d", len(o.Output), limit)}
	}
	s.out.begin(outcome, id)
	s.out.buf = appendOutcome(s.out.buf, o)
	return s.out.end(o.Output)
}
