package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/stash"
)

var errEnded = errors.New("has ended")

// A Process is a child that was started by [Command.Start]. It must be closed. It
// belongs to one goroutine at a time: only that one may call Call and Close. Any goroutine may call
// Pid at any time.
type Process struct {
	c      Command // resolved
	cmd    *exec.Cmd
	stdin  *os.File      // the child's standard input
	stdout *os.File      // its standard output
	in     sender        // to stdin
	out    reader        // from stdout
	asked  uint64        // number of requests and tasks sent
	chunk  []byte        // recycled: only the caller's writer sees it, while Write runs
	ended  chan struct{} // closed by wait
	failed func(error)
	stash  stash.Store // for tasks; nil if there is none

	started  time.Time
	panicked atomic.Bool  // whether a task has panicked
	measured atomic.Int64 // when its memory was last measured, as a time since started

	mu    sync.Mutex // guards following
	state state
}

// A state says who has to be told when the child ends. It only moves forward.
type state uint8

const (
	starting state = iota // Start, which waits for the child
	serving               // the owner, through Process.failed
	gone                  // nobody: Start or failed was told
	closing               // nobody: the child was told to end
)

// setState is the only function that changes p.state. It returns the previous state.
func (p *Process) setState(to state) state {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.state
	p.state = max(was, to)
	return was
}

// fail calls failed with the reason why the child can no longer be used, unless that is known
// already.
func (p *Process) fail(err error) {
	if p.setState(gone) == serving {
		p.failed(err)
	}
}

// Pid returns the child's process ID.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// wait supervises the child on a goroutine: it waits for the process to end, so that no zombie is
// left.
func (p *Process) wait() {
	p.cmd.Wait()
	// The child's own children, if there are any, may keep the other ends open for longer. What the
	// child has written is still read, but nothing reads requests any more: closing p.stdin ends a
	// write that is blocked in Call.
	p.stdin.Close()
	p.stdout.SetReadDeadline(time.Now().Add(waitDelay))
	close(p.ended)
	p.fail(p.failure(errEnded))
}

// kill kills the child, if it has not ended.
func (p *Process) kill() { p.cmd.Process.Kill() }

// handshake waits until the child reports that it is ready. If prepare is not nil, the child serves
// tasks, and is told to prepare for those with the names in prepare. Each time it begins to prepare
// for one, progress is called with the name.
func (p *Process) handshake(ctx context.Context, prepare []string, progress func(pid int, task string)) error {
	stop := context.AfterFunc(ctx, p.kill)
	during, err := p.greet(prepare, progress)
	if !stop() {
		return fmt.Errorf("child: %w%s", context.Cause(ctx), during)
	}
	if err != nil {
		return p.giveUp(err)
	}
	return nil
}

// greet is handshake without ctx. It returns a text that says what the child was doing, for the
// error if that took too long.
func (p *Process) greet(prepare []string, progress func(pid int, task string)) (during string, err error) {
	if prepare != nil {
		p.in.begin(setup, 0)
		p.in.buf = appendSetup(p.in.buf, prepare)
		if err := p.in.end(nil); err != nil {
			return "", err
		}
	}
	left := prepare
	for {
		h, err := p.out.head()
		if err != nil {
			return during, err
		}
		f := frame{kind: h.kind, id: h.id}
		known := h.id == 0 && (h.kind == plain || prepare != nil && (h.kind == warming || h.kind == failed))
		if !known {
			return during, errors.New("its first frame does not report that it is ready")
		}
		if f.payload, err = p.out.payload(h, greetLimits[h.kind]); err != nil {
			return during, err
		}
		switch f.kind {
		case plain:
			return during, nil
		case failed:
			return during, errors.New(string(f.payload))
		}
		if len(left) == 0 || left[0] != string(f.payload) {
			return during, fmt.Errorf("it warms up %q, want the tasks %q, in this order", f.payload, prepare)
		}
		left = left[1:]
		during = fmt.Sprintf(", while it was warming up %q", f.payload)
		progress(p.Pid(), string(f.payload))
	}
}

// greetLimits has the sizes of the largest payloads before the child is ready.
var greetLimits = [numKinds]int{failed: maxText, warming: maxNote}

// Call sends a request to the child and returns its answer, which the caller then owns.
//
// If ctx has already ended, Call returns its error and does nothing. If ctx ends later, Call keeps
// waiting for the answer; it is [offload.Use] that returns. But when [Command.Grace] has passed,
// the child is killed.
//
// An error of type [Error] came from the child's function. Any other error wraps
// [offload.ErrBroken]: the child has ended, or was killed for the reason given, and can only be
// closed.
func (p *Process) Call(ctx context.Context, request []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.asked++
	limit := p.limit(ctx)
	answer, err := p.exchange(request)
	if hung := limit.lift(); hung && err != nil {
		return nil, p.hung(ctx)
	}
	if err != nil {
		return nil, p.giveUp(err)
	}
	if answer.kind == failed {
		return nil, Error(answer.payload)
	}
	return answer.payload, nil
}

// exchange sends a request and reads its answer.
func (p *Process) exchange(request []byte) (answer frame, err error) {
	if err := p.in.send(frame{id: p.asked, payload: request}); err != nil {
		return answer, err
	}
	answer, err = p.out.frame(p.c.MaxAnswer)
	switch {
	case err != nil:
	case answer.id != p.asked:
		err = fmt.Errorf("request %d got an answer to request %d", p.asked, answer.id)
	case answer.kind > failed:
		err = fmt.Errorf("a frame of unexpected kind %d", answer.kind)
	}
	return answer, err
}

// hung gives up a child that was killed because it did not answer in time.
func (p *Process) hung(ctx context.Context) error {
	return p.giveUp(fmt.Errorf("no answer within %v after %w", p.c.Grace, ctx.Err()))
}

// giveUp kills the child, which cannot be used any more after err, and returns an error that says
// so.
func (p *Process) giveUp(err error) error {
	// The last two are caused by wait.
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		err = errors.New("has ended without an answer")
	}
	p.kill()
	t := time.NewTimer(waitDelay)
	defer t.Stop()
	select {
	case <-p.ended:
		err = p.failure(err)
	case <-t.C: // killing did not end it
		err = fmt.Errorf("%w: child %d: %w", offload.ErrBroken, p.Pid(), err)
	}
	p.fail(err) // in case wait has not done so, or the caller does not pass it on
	return err
}

// failure returns the error for a child that has ended, with the reason why.
func (p *Process) failure(why error) error {
	return fmt.Errorf("%w: child %d: %w (%v)", offload.ErrBroken, p.Pid(), why, p.cmd.ProcessState)
}

// Close tells the child to end by closing its standard input, kills it if it has not ended after
// [Command.Grace], and returns when it has ended. The error reports that it had to be killed.
// Further calls return nil.
func (p *Process) Close() (err error) {
	p.setState(closing)
	p.stdin.Close()
	t := time.NewTimer(p.c.Grace)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
		err = fmt.Errorf("child: child %d did not end within %v and was killed", p.Pid(), p.c.Grace)
		p.kill()
		<-p.ended
	}
	p.stdout.Close()
	return err
}
