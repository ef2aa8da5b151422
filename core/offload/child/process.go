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

// A Process is a child that was started by [Command.Start], and must be closed. It is owned by whoever has it as a
// resource: Call and Close must be called by one goroutine at a time. Pid may be called at any time.
type Process struct {
	c      Command // resolved
	cmd    *exec.Cmd
	in     *os.File      // the child's standard input
	out    *os.File      // its standard output
	asked  uint64        // requests
	ended  chan struct{} // closed by wait
	failed func(error)

	mu    sync.Mutex // guards following
	state state
}

// A state says whom the child's end would be news to. It only moves forward.
type state uint8

const (
	starting state = iota // to Start, which waits for the child
	serving               // to failed
	gone                  // to nobody: Start or failed was told
	closing               // to nobody: it does what it was told to
)

// setState is the one function that changes p.state. It returns what that was.
func (p *Process) setState(to state) state {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.state
	p.state = max(was, to)
	return was
}

// fail tells failed why the child is of no use any more, if that is news to it.
func (p *Process) fail(err error) {
	if p.setState(gone) == serving {
		p.failed(err)
	}
}

// Pid returns the child's process ID.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// wait is the goroutine that supervises the child: it waits for its end, so that no zombie is left.
func (p *Process) wait() {
	p.cmd.Wait()
	// Its own children, if there are any, may hold the other ends for longer. What the child has written is still read, but
	// for a request there is nobody: closing ends a write that waits in Call.
	p.in.Close()
	p.out.SetReadDeadline(time.Now().Add(waitDelay))
	close(p.ended)
	p.fail(p.failure(errEnded))
}

// kill ends the child at once, if it has not ended.
func (p *Process) kill() { p.cmd.Process.Kill() }

// greet waits until the child says that it is ready.
func (p *Process) greet(ctx context.Context) error {
	stop := context.AfterFunc(ctx, p.kill)
	f, err := readFrame(p.out, 0)
	if !stop() {
		return fmt.Errorf("child: %w", context.Cause(ctx))
	}
	if err == nil && (f.id != 0 || f.kind != plain) {
		err = errors.New("its first words are not that it is ready")
	}
	if err != nil {
		return p.giveUp(err)
	}
	return nil
}

// Call sends a request to the child and returns its answer, of which the caller becomes the owner.
//
// If ctx has ended, Call returns its error and does nothing. If ctx ends later Call goes on to wait for the answer; it is
// [offload.Use] that returns. But when [Command.Grace] is over, the child is killed.
//
// An [Error] is the child's own. Any other error wraps [offload.ErrBroken]: the child has ended, or was killed for
// the reason that is given, and can only be closed.
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
		err = fmt.Errorf("request %d was answered with one to %d", p.asked, answer.id)
	}
	return answer, err
}

// giveUp kills the child, of which nothing good can come after err, and returns the error that says so.
func (p *Process) giveUp(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) { // the latter two by wait
		err = errors.New("has ended without an answer")
	}
	p.kill()
	t := time.NewTimer(waitDelay)
	defer t.Stop()
	select {
	case <-p.ended:
		err = p.failure(err)
	case <-t.C: // not even that ends it
		err = fmt.Errorf("%w: child %d: %w", offload.ErrBroken, p.Pid(), err)
	}
	p.fail(err) // in case wait has not said so, or the caller does not pass it on
	return err
}

// failure returns the error of a child that has ended, for a reason.
func (p *Process) failure(why error) error {
	return fmt.Errorf("%w: child %d: %w (%v)", offload.ErrBroken, p.Pid(), why, p.cmd.ProcessState)
}

// Close ends the child, by the end of its standard input, and when [Command.Grace] is over by killing it, and returns
// when it has ended. The error says that it had to be killed. Further calls return nil.
func (p *Process) Close() (err error) {
	p.setState(closing)
	p.in.Close()
	t := time.NewTimer(p.c.Grace)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
		err = fmt.Errorf("child: child %d did not end within %v when told to", p.Pid(), p.c.Grace)
		p.kill()
		<-p.ended
	}
	p.out.Close()
	return err
}

// A limit kills a child that goes on for too long after a request's context has ended.
type limit struct {
	p    *Process
	stop func() bool // of context.AfterFunc

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

// strike is called when the grace is over.
func (l *limit) strike() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.lifted {
		l.struck = true
		l.p.kill()
	}
}

// lift ends the limit, and reports whether it has struck.
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
