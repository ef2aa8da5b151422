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
	waitDelay        = time.Second // for what the child has left behind: see exec.Cmd.WaitDelay
)

// A Command says how a child is started and supervised. Its method Start is an Open for
// [offload.ResourceConfig]; it must not be changed once that is in use.
type Command struct {
	// New returns the command of one child, which must not have been started, nor have Stdin or Stdout. Nil
	// Stderr means that what it prints there is lost. It must be set, and is called for each child.
	New func() *exec.Cmd

	// Ready is how long a child may take from its start until it is ready for requests. Zero means 30 seconds.
	// Negative means no limit but Start's context.
	Ready time.Duration

	// Grace is how long a child may go on with a request whose context has ended before it is killed, and with ending when it was
	// told to. Zero means 5 seconds. Negative means no time: it is killed at once.
	Grace time.Duration

	// Nice is the child's niceness, up to 19: with more of it than the server's the child gets the processor's time that
	// nobody else wants, so that tasks which compute do not keep requests waiting. Zero leaves it as it is. Negative, which
	// needs privileges, is an error, and so is any other on systems that have no niceness.
	Nice int

	// MaxAnswer is how many bytes an answer may have. Zero means 64 MiB. Negative is an error.
	MaxAnswer int
}

func (c Command) resolve() (Command, error) {
	switch {
	case c.New == nil:
		return c, errors.New("child: New is nil, want a function")
	case c.Nice < 0 || c.Nice > 19:
		return c, fmt.Errorf("child: Nice is %d, want zero to 19", c.Nice)
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

// Start starts a child and waits until it is ready, at most for Ready, or until ctx ends; then it is killed. If a
// child that was started ends without having been closed, failed, which may be nil, is told so. The child must be
// closed in any case.
func (c Command) Start(ctx context.Context, failed func(error)) (*Process, error) {
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
	if err := p.greet(ctx); err != nil {
		p.kill()
		p.Close()
		return nil, err
	}
	if err := c.renice(p); err != nil {
		p.kill()
		p.Close()
		return nil, fmt.Errorf("child: Nice: %w", err)
	}
	if p.setState(serving) != starting {
		p.Close()
		return nil, p.failure(errEnded)
	}
	return p, nil
}

// renice gives p the niceness that it shall have.
func (c Command) renice(p *Process) error {
	if c.Nice == 0 {
		return nil
	}
	return setNice(p.cmd.Process.Pid, c.Nice)
}

// launch starts the process and what supervises it.
func (c Command) launch(failed func(error)) (*Process, error) {
	cmd := c.New()
	if cmd.Stdin != nil || cmd.Stdout != nil {
		return nil, errors.New("the command has a Stdin or Stdout already")
	}
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = waitDelay
	}
	// Not cmd.StdoutPipe, whose end Wait closes: an answer that was written just before the child's end
	// would be lost.
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
	p := &Process{c: c, cmd: cmd, in: in, out: out, ended: make(chan struct{}), failed: failed}
	go p.wait()
	return p, nil
}
