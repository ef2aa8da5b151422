package jobs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
	"github.com/recycling-go/recycling/bench/internal/trial/jobs/history"
)

// A node is a process that is started again whenever it has ended, each time with the next number.
// It is owned by the goroutine that runs supervise; the other methods may be called by any.
type node struct {
	trial *trial
	on    *machine
	name  string // such as "host1/worker0"
	setup setup

	mu      sync.Mutex // guards the following
	proc    *harness.Process
	number  int           // of proc, or of the last process
	changed chan struct{} // closed when proc or stopped changes
	delay   time.Duration // until the next start
	wanted  bool          // proc was told to end
	stopped bool          // it is not started again until resume is called
}

func (t *trial) newNode(on *machine, name string, s setup) *node {
	n := &node{trial: t, on: on, name: on.name + "/" + name, setup: s, changed: make(chan struct{})}
	t.nodes = append(t.nodes, n)
	return n
}

// supervise starts the process whenever it is not running, until ctx ends. Then it kills it.
func (n *node) supervise(ctx context.Context) {
	for n.await(ctx, func() bool { return !n.stopped }) && ctx.Err() == nil {
		p, err := n.start(ctx)
		if err != nil {
			if ctx.Err() == nil {
				n.trial.note("%s does not start: %s", n.name, lastLines(err.Error(), 2))
			}
			wait(ctx, time.Second)
			continue
		}
		n.set(p)
		<-p.Done()
		if ctx.Err() == nil {
			n.trial.ended(n, p)
		}
		wait(ctx, n.set(nil))
	}
	// The context has stopped the process.
}

// start starts the process with the next number. What it writes to standard error is kept in a
// file.
func (n *node) start(ctx context.Context) (*harness.Process, error) {
	n.mu.Lock()
	n.number++
	n.wanted = false
	s := n.setup
	s.Name = fmt.Sprintf("%s#%d", n.name, n.number)
	n.mu.Unlock()
	log, err := os.Create(filepath.Join(n.trial.dir, "logs", strings.ReplaceAll(s.Name, "/", "-")+".log"))
	if err != nil {
		return nil, err
	}
	c, err := n.on.command(s)
	if err != nil {
		log.Close()
		return nil, err
	}
	c.Stderr = log
	p, err := harness.Start(ctx, c)
	if err != nil {
		log.Close()
		return nil, err
	}
	go func() {
		<-p.Done()
		log.Close()
	}()
	return p, nil
}

// set notes the running process, or that there is none, and returns the delay until the next start.
func (n *node) set(p *harness.Process) (delay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.proc = p
	n.notifyLocked()
	delay, n.delay = n.delay, 0
	return delay
}

// notifyLocked wakes all calls of await. mu must be held.
func (n *node) notifyLocked() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// await waits until ok returns true, which is called with mu held after each change.
func (n *node) await(ctx context.Context, ok func() bool) bool {
	for {
		n.mu.Lock()
		done, changed := ok(), n.changed
		n.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// process returns the running process and its name. It returns nil if there is none.
func (n *node) process() (*harness.Process, string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc, fmt.Sprintf("%s#%d", n.name, n.number)
}

// kill kills the process with SIGKILL, and has it started again after a delay. It reports whether
// there was a process.
func (n *node) kill(ctx context.Context, kind history.Kind, delay time.Duration) bool {
	p, name := n.process()
	if p == nil {
		return false
	}
	n.mu.Lock()
	n.wanted, n.delay = true, delay
	n.mu.Unlock()
	f := history.Fault{Kind: kind, Target: name, From: time.Now()}
	p.Kill()
	if kind == history.KillWorker {
		n.trial.endFault(f)
		return true
	}
	n.trial.wg.Go(func() {
		n.await(ctx, func() bool { return n.proc != nil && n.proc != p })
		n.trial.endFault(f)
	})
	return true
}

// suspend stops the process for some time.
func (n *node) suspend(ctx context.Context, d time.Duration) {
	p, name := n.process()
	if p == nil {
		return
	}
	f := history.Fault{Kind: history.PauseWorker, Target: name, From: time.Now()}
	resume := pause(p)
	wait(ctx, d)
	resume()
	n.trial.endFault(f)
}

// end sends a signal to the process, which is not started again until resume is called, and returns
// it. It returns nil if there is none.
func (n *node) end(s syscall.Signal) *harness.Process {
	n.mu.Lock()
	p := n.proc
	n.wanted, n.stopped = true, true
	n.mu.Unlock()
	if p != nil {
		p.Signal(s) // an error says that it has ended
	}
	return p
}

// halt ends the process with SIGTERM, and returns how it has ended.
func (n *node) halt(ctx context.Context) error {
	p := n.end(syscall.SIGTERM)
	if p == nil {
		return nil
	}
	select {
	case <-p.Done():
		return p.Err()
	case <-ctx.Done():
		return fmt.Errorf("%s has not exited after SIGTERM: %w", n.name, context.Cause(ctx))
	}
}

// resume undoes end.
func (n *node) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = false
	n.notifyLocked()
}

// ready waits until a process runs.
func (n *node) ready(ctx context.Context) bool {
	return n.await(ctx, func() bool { return n.proc != nil })
}

// serving waits until a process runs and is connected to NATS.
func (n *node) serving(ctx context.Context) bool {
	for n.ready(ctx) {
		_, name := n.process()
		if _, err := os.Stat(n.setup.servingFile(name)); err == nil || n.setup.Serving == "" {
			return true
		}
		wait(ctx, 10*time.Millisecond)
	}
	return false
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
