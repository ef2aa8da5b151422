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

// startLimit is how long a server may take until it listens. It is a variable for tests.
var startLimit = 20 * time.Second

// A Process is a running server. It belongs to whoever started it, and has to be stopped even if it has ended.
// It ends with the context at the latest, or with the process that started it: on Linux, and anywhere if it
// is one of this executable's.
type Process struct {
	spec   Spec
	addr   string
	cmd    *exec.Cmd
	cancel context.CancelFunc // ends it
	log    tail               // its standard error
	dir    string             // its files; empty if it has none
	done   chan struct{}      // closed when it has ended, or could not be started

	// Of a server of this executable only: a line written to stdin is answered by a line of stdout. See Main.
	mu     sync.Mutex // guards both
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

// Start starts a server, and waits until it listens. It is stopped when ctx ends. If it does not listen within
// 20 seconds, or ends before, the error has the last lines of its standard error.
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

// command makes the command that start starts.
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
	p.cmd.WaitDelay = 2 * time.Second // from being told to end to being killed
	started := make(chan error)
	go p.run(started)
	return <-started
}

// run starts the process, and waits for its end. It has a thread to itself, because it is the death of the
// thread which started a process that the process is told of: see isolate.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.cmd.Wait() // that it was told to end is no error
		killGroup(p.cmd)
	}
}

// listening returns when the server can be asked something.
func (p *Process) listening(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it does not listen after %v", startLimit))
	defer cancel()
	stop := context.AfterFunc(ctx, p.cancel) // so that nothing is waited for any longer
	defer stop()
	err := p.ready(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// ready is listening without its limit.
func (p *Process) ready(ctx context.Context) error {
	if p.stdout != nil {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			return errors.New("it ended")
		}
		p.addr = strings.TrimSpace(line)
		return nil
	}
	// A connection alone would not do: nginx listens before its workers are there.
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

// answers reports whether there is an answer from addr.
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

// Stop ends the process and those it has started: at once, or 2 seconds later if it does not do as it is told.
// It may be called again.
func (p *Process) Stop() {
	p.cancel()
	<-p.done
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
}

// A tail keeps the end of what is written to it. It may be used by several goroutines at once.
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

// String returns whole lines, ten at most.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
