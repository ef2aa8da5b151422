package tasks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// A process is a server process. Whoever started it owns it and must stop it.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
}

// start starts the server that c describes, and waits until it listens. The server is killed when
// ctx ends.
func start(ctx context.Context, c childConfig) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	v, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, program)}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(v))
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("server %q did not start: %w", c.Server, err)
	}
	p.addr = strings.TrimSpace(line)
	return p, nil
}

// stop kills the process and waits for its end. It ignores the error, because the process was
// killed.
func (p *process) stop() {
	p.cmd.Process.Kill()
	p.stdin.Close()
	p.cmd.Wait()
}
