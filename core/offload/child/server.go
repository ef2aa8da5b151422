package child

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"
)

// watchDelay is how long a task runs before the watcher starts. It is much longer than it takes to
// hand a frame to another goroutine, so that short tasks do not pay for that, and much shorter than
// what anybody notices when a task is canceled.
const watchDelay = time.Millisecond

// orphanTime is how long a task may continue after the parent has died, and exit ends the process
// then. Tests replace them.
var (
	orphanTime = 5 * time.Second
	exit       = os.Exit
)

// A server serves the child's side of the pipes. Its worker, one goroutine, reads a task, runs it,
// and sends the answer: a short task passes through no other goroutine. While a task runs for
// longer, or waits for a frame from the parent, another goroutine, the watcher, reads what arrives
// meanwhile: that the task is canceled, that more of a stream may be sent, or that the parent is
// gone. It ends when it has read the next task, which it hands to the worker.
type server struct {
	in      reader // owned by the worker, or by the watcher while there is one
	out     sender
	control bool          // whether there are frames for running tasks
	done    chan struct{} // closed when the worker has ended
	handed  chan read     // from the watcher to the worker; with room for one
	late    *time.Timer   // starts the watcher

	mu       sync.Mutex // guards following
	watching bool       // until the worker has got what the watcher has read last
	running  *running   // nil if no task is running
}

// A read is the result of reading a frame.
type read struct {
	frame frame
	err   error
}

// A running is a task that is running, and its context. A request of Call, and the warm-up, have
// neither a stream nor a stash.
type running struct {
	context.Context
	cancel context.CancelFunc
	server *server
	id     uint64
	stream outlet
	stash  stashCalls
}

func newServer(in io.Reader, out io.Writer) *server {
	s := &server{in: newReader(in), out: sender{w: out}, done: make(chan struct{}), handed: make(chan read, 1)}
	s.late = time.AfterFunc(math.MaxInt64, s.watchLate)
	s.late.Stop()
	return s
}

func (s *server) stop() {
	s.late.Stop()
	close(s.done)
}

// next returns the next frame for the worker.
func (s *server) next() (frame, error) {
	s.mu.Lock()
	watching := s.watching
	s.mu.Unlock()
	if !watching {
		return s.read()
	}
	r := <-s.handed
	s.mu.Lock()
	s.watching = false
	s.mu.Unlock()
	return r.frame, r.err
}

// read reads frames until there is one for the worker.
func (s *server) read() (frame, error) {
	for {
		f, err := s.in.frame(math.MaxInt)
		if err != nil || !s.control {
			return f, err
		}
		mine, err := s.steer(f)
		if mine || err != nil {
			return f, err
		}
	}
}

// steer gives a frame to the running task, and reports whether the frame is for the worker instead.
// While a task runs, a frame for the worker is an error: the watcher would end, and nobody would
// read the frames for the task. A frame for a task that has ended is dropped.
func (s *server) steer(f frame) (mine bool, err error) {
	s.mu.Lock()
	t := s.running
	s.mu.Unlock()
	switch f.kind {
	case cancel, credit, store:
	default:
		if t != nil {
			return true, fmt.Errorf("child: a frame of kind %d before task %d has ended", f.kind, t.id)
		}
		return true, nil
	}
	if t == nil || t.id != f.id {
		return false, nil
	}
	switch f.kind {
	case cancel:
		t.cancel()
	case credit:
		n, err := parseCredit(f.payload)
		if err != nil {
			return false, err
		}
		return false, t.stream.earn(n)
	case store:
		return false, t.stash.answer(f.payload)
	}
	return false, nil
}

// begin says that the worker begins a task.
func (s *server) begin(t *running) {
	s.mu.Lock()
	s.running = t
	s.mu.Unlock()
	s.late.Reset(watchDelay)
}

// end says that the task has ended.
func (s *server) end() {
	s.late.Stop()
	s.mu.Lock()
	s.running = nil
	s.mu.Unlock()
}

// watchLate is called when a task has been running for watchDelay.
func (s *server) watchLate() {
	s.mu.Lock()
	t := s.running
	s.mu.Unlock()
	if t != nil {
		s.watch(t)
	}
}

// watch starts the watcher, unless there is one already or t has ended.
func (s *server) watch(t *running) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == t && !s.watching {
		s.watching = true
		go s.watcher()
	}
}

// watcher reads until it has something for the worker. If the parent is gone and the task does not
// end in time, it ends the process.
func (s *server) watcher() {
	f, err := s.read()
	s.handed <- read{f, err}
	if err == nil {
		return
	}
	s.mu.Lock()
	t := s.running
	s.mu.Unlock()
	if t != nil && t.cancel != nil { // not a request of Call
		t.cancel()
	}
	limit := time.NewTimer(orphanTime)
	defer limit.Stop()
	select {
	case <-s.done:
	case <-limit.C:
		fmt.Fprintf(os.Stderr, "child: exiting: the parent is gone, and the task did not return within %v\n", orphanTime)
		exit(1)
	}
}
