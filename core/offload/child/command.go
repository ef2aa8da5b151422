package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

const (
	defaultReady     = 30 * time.Second
	defaultGrace     = 5 * time.Second
	defaultMaxAnswer = 64 << 20
	waitDelay        = time.Second // for the child's own descendants: see exec.Cmd.WaitDelay
)

// A Command configures how a child is started and supervised. Its method Start can be used as the
// Open of an [offload.ResourceConfig]; the Command must not be changed after that.
type Command struct {
	// New returns the command for one child, which must not have been started, and must have
	// neither Stdin nor Stdout set. If Stderr is nil, what the child prints there is lost. New must
	// be set, and is called for each child.
	New func() *exec.Cmd

	// Ready is how long a child may take from its start until it is ready for requests. Zero means
	// 30 seconds. Negative means no limit except Start's context.
	Ready time.Duration

	// Grace is how long a child may continue with a request whose context has ended before it is
	// killed, and how long it may take to end when told to. Zero means 5 seconds. Negative means
	// that it is killed at once.
	Grace time.Duration

	// Nice is the child's niceness, up to 19: a child with a higher niceness than the server gets
	// only the processor time that nothing else needs, so that computing tasks do not delay
	// requests. Zero leaves the niceness unchanged. Negative, which would need privileges, is an
	// error. On systems without niceness, so is any value but zero.
	Nice int

	// MaxAnswer is the maximum size of an answer, or of the output of a task that is no stream, in
	// bytes. Zero means 64 MiB. Negative is an error.
	MaxAnswer int
}

func (c Command) resolve() (Command, error) {
	switch {
	case c.New == nil:
		return c, errors.New("child: New is nil, want a function")
	case c.Nice < 0 || c.Nice > 19:
		return c, fmt.Errorf("child: Nice is %d, want 0 to 19", c.Nice)
	case c.MaxAnswer < 0:
		return c, fmt.Errorf("child: MaxAnswer is %d, want zero (the default) or more", c.MaxAnswer)
	}
	if c.Ready == 0 {
		c.Ready = defaultReady
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	c.Grace = max(c.Grace, 0)
	if c.MaxAnswer == 0 {
		c.MaxAnswer = defaultMaxAnswer
	}
	return c, nil
}

// Start starts a child and waits until it is ready, but no longer than Ready, or until ctx ends;
// then the child is killed. If the child later ends without having been closed, failed is called
// with the reason; failed may be nil. The child must be closed in any case.
func (c Command) Start(ctx context.Context, failed func(error)) (*Process, error) {
	return c.start(ctx, failed, nil, nil)
}

// start is Start. The last two arguments are those of Process.handshake.
func (c Command) start(ctx context.Context, failed func(error), prepare []string, progress func(pid int, task string)) (*Process, error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	if failed == nil {
		failed = func(error) {}
	}
	p, err := c.launch(failed)
	if err != nil {
		return nil, fmt.Errorf("child: %w", err)
	}
	if c.Ready > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Ready, fmt.Errorf("not ready within %v", c.Ready))
		defer cancel()
	}
	ready := false
	defer func() {
		if !ready { // even if progress has panicked
			p.kill()
			p.Close()
		}
	}()
	if err := p.handshake(ctx, prepare, progress); err != nil {
		return nil, err
	}
	if err := c.renice(p); err != nil {
		return nil, fmt.Errorf("child: Nice: %w", err)
	}
	if p.setState(serving) != starting {
		return nil, p.failure(errEnded)
	}
	ready = true
	return p, nil
}

// renice gives p the niceness in c.
func (c Command) renice(p *Process) error {
	if c.Nice == 0 {
		return nil
	}
	return setNice(p.cmd.Process.Pid, c.Nice)
}

// launch starts the process and the goroutine that supervises it.
func (c Command) launch(failed func(error)) (*Process, error) {
	cmd := c.New()
	if cmd == nil {
		return nil, errors.New("function New has returned nil, want a command")
	}
	if cmd.Stdin != nil || cmd.Stdout != nil {
		return nil, errors.New("the command already has a Stdin or Stdout")
	}
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = waitDelay
	}
	// Do not use cmd.StdoutPipe, whose read end Wait closes: an answer written just before the
	// child ends would be lost.
	itsIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, itsOut, err := os.Pipe()
	if err != nil {
		itsIn.Close()
		in.Close()
		return nil, err
	}
	cmd.Stdin, cmd.Stdout = itsIn, itsOut
	err = cmd.Start()
	itsIn.Close()
	itsOut.Close()
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	p := &Process{
		c: c, cmd: cmd, stdin: in, stdout: out, in: sender{w: in}, out: newReader(out),
		ended: make(chan struct{}), failed: failed, started: time.Now(),
	}
	go p.wait()
	return p, nil
}
