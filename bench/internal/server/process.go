package server

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
	"strconv"
	"strings"
	"sync"
	"time"
)

// startLimit is how long a server may take until it listens. It is a variable so that tests can
// change it.
var startLimit = 20 * time.Second

// A Process is a running server. Whoever started it owns it, and must stop it even if it has ended.
// It ends with the context at the latest. It also ends with the process that started it: on Linux,
// and on any system if it is a server of this executable.
type Process struct {
	spec   Spec
	addr   string
	cmd    *exec.Cmd
	cancel context.CancelFunc // ends the process
	log    tail               // standard error of the process
	dir    string             // the folder of its files; empty if it has none
	done   chan struct{}      // closed when the process has ended, or could not be started

	// Only for servers of this executable, which reply to a line on stdin with a line on stdout.
	// See Main.
	mu     sync.Mutex // guards stdin and stdout
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

// Start starts a server, and waits until it listens. The server is stopped when ctx ends. If it
// does not listen within 20 seconds, or ends before, the error has the last lines of its standard
// error.
func Start(ctx context.Context, s Spec) (*Process, error) {
	s, err := s.check()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &Process{spec: s, cancel: cancel, done: make(chan struct{})}
	if err = p.command(ctx); err == nil {
		err = p.start()
	} else {
		close(p.done)
	}
	if err == nil {
		err = p.listening(ctx)
	}
	if err != nil {
		p.Stop()
		err = fmt.Errorf("server %v did not start: %w", s, err)
		if log := p.Log(); log != "" {
			err = fmt.Errorf("%w\n%s", err, log)
		}
		return nil, err
	}
	return p, nil
}

// command makes the command that start runs.
func (p *Process) command(ctx context.Context) error {
	if external := kinds[p.spec.Server].command; external != nil {
		return p.external(ctx, external)
	}
	return p.own(ctx)
}

// own makes the command of a server of this executable.
func (p *Process) own(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s := p.spec
	p.cmd = exec.CommandContext(ctx, program, "serve", "-child", "-server", s.Server, "-router", s.Router,
		"-conns", strconv.Itoa(s.Conns), "-rounds", strconv.Itoa(roundsPerMS()))
	p.cmd.Env = os.Environ()
	if s.Procs > 0 {
		p.cmd.Env = append(p.cmd.Env, "GOMAXPROCS="+strconv.Itoa(s.Procs))
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := p.cmd.StdoutPipe()
	p.stdout = bufio.NewReader(stdout)
	return err
}

// start starts the process.
func (p *Process) start() error {
	isolate(p.cmd)
	p.cmd.Stderr = &p.log
	p.cmd.WaitDelay = 2 * time.Second // from SIGTERM to SIGKILL
	started := make(chan error)
	go p.run(started)
	return <-started
}

// run starts the process, and waits for its end. It locks its thread, because the process is
// signalled when the thread that started it dies: see isolate.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.cmd.Wait() // ignores the error, because the process was stopped
		killGroup(p.cmd)
	}
}

// listening returns when the server answers requests.
func (p *Process) listening(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it does not listen after %v", startLimit))
	defer cancel()
	stop := context.AfterFunc(ctx, p.cancel) // so that nothing waits any longer
	defer stop()
	err := p.ready(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// ready is listening without the time limit.
func (p *Process) ready(ctx context.Context) error {
	if p.stdout != nil {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			return errors.New("it ended")
		}
		p.addr = strings.TrimSpace(line)
		return nil
	}
	// A successful connection is not enough: nginx listens before its workers have started.
	for {
		if answers(ctx, p.addr) {
			return nil
		}
		select {
		case <-p.done:
			return errors.New("it ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// answers reports whether the server at addr sends a response.
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

// Addr returns the server's address, as host:port.
func (p *Process) Addr() string { return p.addr }

// Log returns the last lines that the server wrote to its standard error.
func (p *Process) Log() string { return p.log.String() }

// Stop stops the process and the processes that it has started. If they do not exit, it kills them
// after 2 seconds. It may be called several times.
func (p *Process) Stop() {
	p.cancel()
	<-p.done
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
}

// A tail keeps the end of what is written to it. Several goroutines may use it at once.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 4096
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(b), nil
}

// String returns whole lines, at most ten.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
