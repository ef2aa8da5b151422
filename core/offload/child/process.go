package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

var errEnded = errors.New("has ended")

// A Process is a child that was started by [Command.Start]. It must be closed. Whoever holds it as
// a resource owns it: only one goroutine at a time may call Call and Close. Pid may be called at
// any time.
type Process struct {
	c      Command // resolved
	cmd    *exec.Cmd
	in     *os.File      // the child's standard input
	out    *os.File      // its standard output
	asked  uint64        // number of requests sent
	ended  chan struct{} // closed by wait
	failed func(error)

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
	// child has written is still read, but nothing reads requests any more: closing p.in ends a
	// write that is blocked in Call.
	p.in.Close()
	p.out.SetReadDeadline(time.Now().Add(waitDelay))
	close(p.ended)
	p.fail(p.failure(errEnded))
}

// kill kills the child, if it has not ended.
func (p *Process) kill() { p.cmd.Process.Kill() }

// handshake waits until the child reports that it is ready.
func (p *Process) handshake(ctx context.Context) error {
	stop := context.AfterFunc(ctx, p.kill)
	f, err := readFrame(p.out, 0)
	if !stop() {
		return fmt.Errorf("child: %w", context.Cause(ctx))
	}
	if err == nil && (f.id != 0 || f.kind != plain) {
		err = errors.New("its first frame does not report that it is ready")
	}
	if err != nil {
		return p.giveUp(err)
	}
	return nil
}

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
	limit := p.limit(ctx)
	answer, err := p.exchange(request)
	if hung := limit.lift(); hung && err != nil {
		return nil, p.giveUp(fmt.Errorf("no answer within %v after %w", p.c.Grace, ctx.Err()))
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
	p.asked++
	if err := (frame{id: p.asked, payload: request}).write(p.in); err != nil {
		return answer, err
	}
	answer, err = readFrame(p.out, p.c.MaxAnswer)
	if err == nil && answer.id != p.asked {
		err = fmt.Errorf("request %d got an answer to request %d", p.asked, answer.id)
	}
	return answer, err
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
	p.in.Close()
	t := time.NewTimer(p.c.Grace)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
		err = fmt.Errorf("child: child %d did not end within %v and was killed", p.Pid(), p.c.Grace)
		p.kill()
		<-p.ended
	}
	p.out.Close()
	return err
}

// A limit kills a child that continues for too long after a request's context has ended.
type limit struct {
	p    *Process
	stop func() bool // from context.AfterFunc

	mu     sync.Mutex // guards following
	lifted bool
	timer  *time.Timer // nil until the context has ended
	struck bool
}

func (p *Process) limit(ctx context.Context) *limit {
	l := &limit{p: p}
	l.stop = context.AfterFunc(ctx, l.arm)
	return l
}

// arm is called when the context has ended.
func (l *limit) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.lifted {
		l.timer = time.AfterFunc(l.p.c.Grace, l.strike)
	}
}

// strike is called when the grace period has passed.
func (l *limit) strike() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.lifted {
		l.struck = true
		l.p.kill()
	}
}

// lift ends the limit, and reports whether it has killed the child.
func (l *limit) lift() bool {
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lifted = true
	if l.timer != nil {
		l.timer.Stop()
	}
	return l.struck
}
