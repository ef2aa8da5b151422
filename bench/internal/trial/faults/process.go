package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
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

// A process is a server process. It runs until stop is called or the context ends.
type process struct {
	setup setup
	addr  string
	cmd   *exec.Cmd
	log   journal
	done  chan struct{} // closed when the process has ended
	ended error         // how the process ended; set before done is closed

	mu     sync.Mutex // guards stdin and stdout
	stdin  io.WriteCloser
	stdout *bufio.Reader

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
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	p := &process{setup: s, done: make(chan struct{})}
	args := append(s.wrap[:len(s.wrap):len(s.wrap)], program, ServerArg, string(text))
	p.cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	p.cmd.Env = append(os.Environ(), s.env...)
	if s.file != nil {
		p.cmd.ExtraFiles = []*os.File{s.file}
	}
	p.cmd.Stderr = &p.log
	p.cmd.WaitDelay = time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// This is not StdoutPipe, because Wait closes that, and the last replies may still be in it.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout = w
	p.stdout = bufio.NewReader(r)
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go p.wait(r)
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("the server did not start: %s", p.log.last())
	}
	p.addr = strings.TrimSpace(line)
	return p, nil
}

func (p *process) wait(stdout io.Closer) {
	p.ended = p.cmd.Wait()
	close(p.done)
	p.mu.Lock() // a reader has reached the end of the output by now
	stdout.Close()
	p.mu.Unlock()
}

// stop kills the process.
func (p *process) stop() {
	p.cmd.Process.Kill()
	<-p.done
}

// alive returns nil, or an error that says how the process has ended.
func (p *process) alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("the process has ended: %s", p.log.last())
	default:
		return nil
	}
}

// command sends a line to the process, and returns the line with which the process replies.
func (p *process) command(line string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := io.WriteString(p.stdin, line+"\n")
	answer := ""
	if err == nil {
		answer, err = p.stdout.ReadString('\n')
	}
	if err != nil {
		return "", fmt.Errorf("the process has ended: %s", p.log.last())
	}
	return strings.TrimSpace(answer), nil
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

func (p *process) pid() string { return strconv.Itoa(p.cmd.Process.Pid) }

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

// A journal keeps the end of what is written to it, and counts messages. Several goroutines may use
// it at once.
type journal struct {
	mu    sync.Mutex // guards following
	text  []byte
	lines int // the number of messages: lines with logPrefix
}

func (j *journal) Write(b []byte) (int, error) {
	const most = 1 << 16
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines += strings.Count(string(b), logPrefix)
	j.text = append(j.text, b...)
	j.text = j.text[max(0, len(j.text)-most):]
	return len(b), nil
}

// last returns the last line that is not part of a stack trace.
func (j *journal) last() string {
	lines := strings.Split(strings.TrimSpace(j.String()), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], logPrefix) || strings.HasPrefix(lines[i], "panic:") {
			return lines[i]
		}
	}
	return lines[len(lines)-1]
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return string(j.text)
}

// messages returns the number of messages so far.
func (j *journal) messages() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines
}
