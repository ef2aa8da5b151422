package server

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// A Process is a running server. Whoever started it owns it, and must stop it even if it has ended.
type Process struct {
	spec    Spec
	process *harness.Process
	dir     string // the folder of its files; empty if it has none
}

// Start starts a server, and waits until it listens. The server is stopped when ctx ends. If it
// does not listen within 20 seconds, or ends before, the error has the last lines of its standard
// error.
func Start(ctx context.Context, s Spec) (*Process, error) {
	s, err := s.check()
	if err != nil {
		return nil, err
	}
	p := &Process{spec: s}
	c, err := p.command()
	if err == nil {
		p.process, err = harness.Start(ctx, c)
	}
	if err != nil {
		p.removeFiles()
		return nil, fmt.Errorf("server %v did not start: %w", s, err)
	}
	return p, nil
}

func (p *Process) command() (harness.Command, error) {
	s := p.spec
	if external := kinds[s.Server].command; external != nil {
		return p.external(external)
	}
	c := harness.Command{Args: []string{"serve", "-child", "-server", s.Server, "-router", s.Router,
		"-conns", strconv.Itoa(s.Conns), "-rounds", strconv.Itoa(roundsPerMS())}}
	if s.TLS {
		c.Args = append(c.Args, "-tls")
	}
	if s.Procs > 0 {
		c.Env = []string{"GOMAXPROCS=" + strconv.Itoa(s.Procs)}
	}
	return c, nil
}

// Addr returns the server's address, as host:port.
func (p *Process) Addr() string { return p.process.Addr() }

// Stop stops the process and the processes that it has started. If they do not exit, it kills them
// after 2 seconds. It may be called several times.
func (p *Process) Stop() {
	p.process.Stop()
	p.removeFiles()
}

func (p *Process) removeFiles() {
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
}
