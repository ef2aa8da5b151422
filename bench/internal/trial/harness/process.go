package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// readyLimit is how long a process may take until it is ready. It is a variable so that tests can
// change it.
var readyLimit = 20 * time.Second

// grace is the time from SIGTERM to SIGKILL.
const grace = 2 * time.Second

// A Command says how to start a process, and how the process shows that it is ready.
//
// If Addr and Ready are empty, the process is a server that prints its address, a line, on standard
// output. After that it may reply to each line on standard input with a line: see [Process.Ask]. It
// must exit when its standard input ends.
type Command struct {
	// Program is the program to run. If it is empty, it is this executable, whose main function
	// must look at Args.
	Program string
	Args    []string

	Dir    string     // the folder in which the program runs; empty means that of this process
	Env    []string   // added to the environment of this process
	Files  []*os.File // the process's descriptors from 3 on
	Stderr io.Writer  // gets what the process writes to standard error, beside the log; may be nil

	// Addr is the address of a server that does not print it. The server is ready when it responds
	// to an HTTP request.
	Addr string

	// Ready is for programs that are not servers. They are ready when their log contains it.
	Ready string
}

// exec returns the command for package exec.
func (c Command) exec(ctx context.Context) (*exec.Cmd, error) {
	program := c.Program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, program, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Dir = c.Dir
	cmd.ExtraFiles = c.Files
	cmd.WaitDelay = grace
	isolate(cmd)
	return cmd, nil
}

// prints reports whether the process prints its address.
func (c Command) prints() bool { return c.Addr == "" && c.Ready == "" }

// A Process is owned by the caller of [Start], who must stop or kill it even if it has ended. It
// ends with the context at the latest. It also ends with the process that started it: on Linux, and
// on any system if it exits at the end of its standard input.
type Process struct {
	addr   string
	cmd    *exec.Cmd
	cancel context.CancelFunc // ends the process
	log    tail
	done   chan struct{} // closed when the process has ended, or could not be started
	err    error         // how the process ended; set before done is closed

	// Only for a process that prints its address.
	mu     sync.Mutex // guards stdin and stdout
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

// Start starts a process, and waits until it is ready. The process is stopped when ctx ends. If it
// is not ready within 20 seconds, or ends before, the error has the last lines of its log.
func Start(ctx context.Context, c Command) (*Process, error) {
	limited, cancel := context.WithCancel(ctx)
	p := &Process{addr: c.Addr, cancel: cancel, done: make(chan struct{})}
	cmd, err := c.exec(limited)
	if err == nil {
		p.cmd = cmd
		err = p.start(c)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	if err := p.awaitReady(ctx, c); err != nil {
		p.Stop()
		if lines := p.log.lastLines(); lines != "" {
			err = fmt.Errorf("%w\n%s", err, lines)
		}
		return nil, err
	}
	return p, nil
}

// start starts the process.
func (p *Process) start(c Command) (err error) {
	p.cmd.Stderr = &p.log
	if c.Stderr != nil {
		p.cmd.Stderr = io.MultiWriter(&p.log, c.Stderr)
	}
	var out *os.File
	if c.prints() {
		if p.stdin, err = p.cmd.StdinPipe(); err != nil {
			return err
		}
		// This is not StdoutPipe, because Wait closes that, and the last replies may still be in
		// it.
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer w.Close()
		p.cmd.Stdout, out = w, r
		p.stdout = bufio.NewReader(r)
	}
	started := make(chan error)
	go p.run(started, out)
	return <-started
}

// run starts the process, and waits for its end. It locks its thread, because the process is
// signalled when the thread that started it dies: see isolate.
func (p *Process) run(started chan<- error, out *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.err = p.cmd.Wait()
		killGroup(p.cmd)
	}
	p.cancel()
	close(p.done)
	if out != nil {
		p.mu.Lock() // a reader has reached the end of the output by now
		out.Close()
		p.mu.Unlock()
	}
}

// awaitReady returns when the process is ready.
func (p *Process) awaitReady(ctx context.Context, c Command) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyLimit, fmt.Errorf("it is not ready after %v", readyLimit))
	defer cancel()
	stop := context.AfterFunc(ctx, p.cancel) // so that nothing waits any longer
	defer stop()
	err := p.ready(ctx, c)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

var errEnded = errors.New("it ended")

// ready is awaitReady without the time limit.
func (p *Process) ready(ctx context.Context, c Command) error {
	if c.prints() {
		p.mu.Lock()
		defer p.mu.Unlock()
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			return errEnded
		}
		p.addr = strings.TrimSpace(line)
		return nil
	}
	for {
		if c.Addr != "" && answers(ctx, c.Addr) || c.Ready != "" && strings.Contains(p.Log(), c.Ready) {
			return nil
		}
		select {
		case <-p.done:
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// answers reports whether the server at addr sends a response, of any status. A successful
// connection is not enough: nginx listens before its workers have started.
func answers(ctx context.Context, addr string) bool {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+addr+"/yo", nil)
	if err != nil {
		return false
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return true
}

// Addr returns the address that the server printed, or that of its Command.
func (p *Process) Addr() string { return p.addr }

// Pid returns the process ID.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Log returns the last 64 KiB of what the process has written to standard error.
func (p *Process) Log() string { return p.log.String() }

// Ask sends a line to a process that prints its address, and returns the line with which the
// process replies. It returns an error if the process ends before it replies.
func (p *Process) Ask(line string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		return "", err
	}
	reply, err := p.stdout.ReadString('\n')
	return strings.TrimSpace(reply), err
}

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the process has ended, as [exec.Cmd.Wait] does: nil means with status 0. It may
// be called when Done is closed.
func (p *Process) Err() error { return p.err }

// Signal sends a signal to the process, and does not wait.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Stop sends SIGTERM to the process, kills it if it has not exited after 2 seconds, and kills the
// processes that it has left behind. It may be called several times.
func (p *Process) Stop() {
	p.cancel()
	<-p.done
}

// Kill kills the process, and the processes that it leaves behind. It may be called several times.
func (p *Process) Kill() {
	p.cmd.Process.Kill() // the error says that it has ended
	<-p.done
}
