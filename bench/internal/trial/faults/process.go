package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// A setup says how a process serves. It is passed to the process as JSON. The durations and numbers
// are fields of http.Server and recycling.Server; zero means their default.
type setup struct {
	Recycling bool
	TLS       bool
	Listener  string // a key of listeners; empty: TCP
	Address   string // empty: a free port of 127.0.0.1

	ReadHeader, Write, Idle time.Duration
	BlockLog                bool // writing to the log blocks until "release"
	// The ConnState hook panics when the first request begins, or blocks until "release".
	HookPanics, HookBlocks bool

	// Only for recycling.
	Body, QueueWait       time.Duration
	Workers, Queue, Conns int

	env  []string // added to the process's environment
	wrap []string // a command that becomes the process
	file *os.File // the listener, for Listener "file"
}

// A process is a server process. It runs until it is killed or the context ends.
type process struct {
	*harness.Process
	setup    setup
	messages messages

	start report // the state before the fault
	fds   int    // descriptors before the fault; negative if not known
}

// A report is the state that a process reports about itself.
type report struct {
	Accepted, Closed, Hijacked, Open int64
	Workers, Standby, Busy           int // only for recycling
	Parked, Shed                     int64
	Goroutines                       int
	Heap, Stack                      uint64         // bytes in use
	Events                           map[string]int // how often handlers have seen each event
}

// newProcess starts a process, and waits until it listens.
func newProcess(ctx context.Context, s setup) (*process, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	p := &process{setup: s}
	c := harness.Command{Args: []string{ServerArg, string(text)}, Env: s.env, Stderr: &p.messages}
	if s.wrap != nil {
		program, err := os.Executable()
		if err != nil {
			return nil, err
		}
		c.Program, c.Args = s.wrap[0], slices.Concat(s.wrap[1:], []string{program}, c.Args)
	}
	if s.file != nil {
		c.Files = []*os.File{s.file}
	}
	if p.Process, err = harness.Start(ctx, c); err != nil {
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	return p, nil
}

// alive returns nil, or an error that says how the process has ended.
func (p *process) alive() error {
	select {
	case <-p.Done():
		return fmt.Errorf("the process has ended: %s", p.lastMessage())
	default:
		return nil
	}
}

// command sends a line to the process, and returns the line with which the process replies.
func (p *process) command(line string) (string, error) {
	reply, err := p.Ask(line)
	if err != nil {
		return "", fmt.Errorf("the process has ended: %s", p.lastMessage())
	}
	return reply, nil
}

// report returns the process's report.
func (p *process) report() (r report, err error) {
	line, err := p.command("report")
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(line), &r)
}

// shutdown makes the process shut its server down within limit, and returns the error of Shutdown
// as text.
func (p *process) shutdown(limit time.Duration) (string, error) {
	return p.command("shutdown " + limit.String())
}

// release releases the handlers and hooks that wait for it.
func (p *process) release() error {
	_, err := p.command("release")
	return err
}

// signal sends the named signal. It needs the command kill.
func (p *process) signal(name string) error {
	out, err := exec.Command("kill", "-"+name, p.pid()).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) || runtime.GOOS == "windows" {
		return skip("there are no signals")
	}
	if err != nil {
		return fmt.Errorf("kill -%s: %s", name, out)
	}
	return nil
}

func (p *process) pid() string { return strconv.Itoa(p.Pid()) }

// descriptors returns how many descriptors the process has open, or a negative number if this
// system does not report it.
func (p *process) descriptors() int {
	names, err := filepath.Glob("/proc/" + p.pid() + "/fd/*")
	if err != nil || len(names) == 0 {
		return -1
	}
	return len(names)
}

// cpu returns the user and system time of the process, and whether this system reports it.
func (p *process) cpu() (time.Duration, bool) {
	b, err := os.ReadFile("/proc/" + p.pid() + "/stat")
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	const utime, stime = 14 - 3, 15 - 3 // field numbers of proc(5), without the first two fields
	if len(f) <= stime {
		return 0, false
	}
	user, err1 := strconv.Atoi(f[utime])
	system, err2 := strconv.Atoi(f[stime])
	const tick = 10 * time.Millisecond // the same on every Linux that Go supports
	return time.Duration(user+system) * tick, err1 == nil && err2 == nil
}

// lastMessage returns the last line of the log that is not part of a stack trace.
func (p *process) lastMessage() string {
	lines := strings.Split(strings.TrimSpace(p.Log()), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], logPrefix) || strings.HasPrefix(lines[i], "panic:") {
			return lines[i]
		}
	}
	return lines[len(lines)-1]
}

// Messages counts the messages in what is written to it: lines with logPrefix.
type messages struct{ n atomic.Int64 }

func (m *messages) Write(b []byte) (int, error) {
	m.n.Add(int64(strings.Count(string(b), logPrefix)))
	return len(b), nil
}

// count returns the number of messages so far.
func (m *messages) count() int { return int(m.n.Load()) }
