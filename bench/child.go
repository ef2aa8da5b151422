package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// A child is a server process. It belongs to whoever started it, and ends with the context at the latest.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
}

// start starts this program as a server, and waits until it listens. Pool keeps a worker for each connection, and refuses
// those beyond: it gets as many workers as there will be connections.
func start(ctx context.Context, strategy recycling.Strategy, conns int) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, program, "serve", "-child")}
	c.cmd.Env = append(os.Environ(), recycling.EnvStrategy+"="+string(strategy))
	if strategy == recycling.Pool {
		c.cmd.Env = append(c.cmd.Env, recycling.EnvMaxWorkers+"="+strconv.Itoa(max(conns, 256)+1))
	}
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("the server with strategy %s did not start: %w", strategy, err)
	}
	c.addr = strings.TrimSpace(line)
	return c, nil
}

// stop kills the process and waits for its end. That it was killed is no error.
func (c *child) stop() {
	c.cmd.Process.Kill()
	c.stdin.Close()
	c.cmd.Wait()
}

// errNoCPU is returned by cpu where the system does not say.
var errNoCPU = errors.New("no CPU time on this system")

// cpu returns the user and system time of the process so far.
func (c *child) cpu() (time.Duration, error) {
	if runtime.GOOS == "linux" {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
		if err != nil {
			return 0, err
		}
		return parseStat(stat)
	}
	return c.reportedCPU()
}

// reportedCPU is cpu as the process itself reports it.
func (c *child) reportedCPU() (time.Duration, error) {
	body, err := ask(c.addr, scenario{path: "/cpu", close: true})
	if err != nil {
		return 0, err
	}
	if len(body) == 0 {
		return 0, errNoCPU
	}
	ns, err := strconv.ParseInt(string(body), 10, 64)
	return time.Duration(ns), err
}

// rss returns the resident bytes of the process.
func (c *child) rss() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseRSS(status)
}
