package faults

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// Rows with a system that fails or has no resources left.

// strace makes system calls of p fail, as the -e inject option of strace describes, until the
// returned function is called.
func (t *trial) strace(p *process, inject string) (stop func(), err error) {
	if _, err := exec.LookPath("strace"); err != nil {
		return nil, skip("needs strace")
	}
	calls, _, _ := strings.Cut(inject, ":")
	tracer, err := harness.Start(t.ctx, harness.Command{
		Program: "strace",
		Args:    []string{"-f", "-p", p.pid(), "-e", "trace=" + calls, "-e", "inject=" + inject, "-o", os.DevNull},
		Ready:   "attached",
	})
	if err != nil {
		return nil, skip("strace does not attach: " + err.Error())
	}
	t.later(tracer.Stop)
	return tracer.Stop, nil // it detaches from the process
}

func acceptErrors(t *trial) error {
	var died []string
	for _, name := range []string{"ECONNABORTED", "EINTR", "EPROTO", "ENETDOWN", "EPERM", "ENOBUFS", "ENOMEM", "EMFILE", "ENFILE"} {
		err := t.with(setup{}, func(p *process) error {
			stop, err := t.strace(p, "accept4:error="+name+":when=1..3")
			if err != nil {
				return err
			}
			defer stop()
			// If descriptors run out, the server may respond with 503 meanwhile.
			if _, err := t.recovers(p); err != nil {
				return err
			}
			stop()
			if n := p.messages.count(); n > 20 {
				return fmt.Errorf("%d messages in the log", n)
			}
			return nil
		})
		var s skip
		switch {
		case err == nil:
		case errors.As(err, &s):
			return err
		case strings.Contains(err.Error(), notServing):
			died = append(died, name)
		default:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if died != nil {
		return fmt.Errorf("serving ended for good at %s", strings.Join(died, ", "))
	}
	return nil
}

func epollErrors(t *trial) error {
	for _, name := range []string{"ENOSPC", "ENOMEM"} {
		err := t.with(setup{}, func(p *process) error {
			stays, err := t.dial(p)
			if err != nil {
				return err
			}
			defer stays.Close()
			if err := stays.ask(request("/echo?q=stays"), "stays"); err != nil {
				return err
			}
			stop, err := t.strace(p, "epoll_ctl:error="+name+":when=1..2")
			if err != nil {
				return err
			}
			defer stop()
			for range 4 {
				c, err := t.tcp(p)
				if err != nil {
					return err
				}
				c.SetDeadline(time.Now().Add(time.Second))
				c.send(request("/")) // the server may respond or not
				c.answer("GET")
				c.Close()
			}
			stop()
			return stays.ask(request("/echo?q=stays"), "stays")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func interruptions(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		if err := t.slowWhole(p); err != nil {
			return fmt.Errorf("short writes: %w", err)
		}
		stop, err := t.strace(p, "read,write,readv,writev,recvfrom,sendto,sendmsg:error=EINTR:when=2+3")
		if err != nil {
			return err
		}
		defer stop()
		return t.each(20, func(i int) error {
			c, err := t.dial(p)
			if err != nil {
				return err
			}
			defer c.Close()
			for n := range 20 {
				canary := fmt.Sprintf("%d-%d", i, n)
				if err := c.ask(request("/echo?q="+canary), canary); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// slowWhole reads a large response through a small window, and compares every byte.
func (t *trial) slowWhole(p *process) error {
	return t.each(4, func(int) error {
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		c.tcp.(*net.TCPConn).SetReadBuffer(32 << 10)
		n := 20 * len(block)
		if err := c.send(request("/big?n=" + strconv.Itoa(n))); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond) // until the server cannot write any more
		_, body, err := c.raw(n)
		if err == nil && body != string(bytes.Repeat(block, 20)) {
			err = errors.New("the body differs")
		}
		return err
	})
}

func noDescriptors(t *trial) error {
	if _, err := exec.LookPath("prlimit"); err != nil {
		return skip("needs prlimit")
	}
	return t.with(setup{Conns: -1}, func(p *process) error {
		stay, err := t.dials(p, 5)
		if err != nil {
			return err
		}
		ask := func() error {
			for _, c := range stay {
				if err := c.ask(request("/echo?q=stays"), "stays"); err != nil {
					return fmt.Errorf("a connection from before: %w", err)
				}
			}
			return nil
		}
		if err := ask(); err != nil {
			return err
		}
		if out, err := exec.Command("prlimit", "--pid", p.pid(), "--nofile=64:64").CombinedOutput(); err != nil {
			return skip("prlimit: " + string(out))
		}
		all, err := t.dials(p, 200)
		if err != nil {
			return err
		}
		for _, c := range all {
			c.send(request("/")) // the server may have closed it
		}
		begin, known := p.cpu()
		time.Sleep(time.Second)
		if end, ok := p.cpu(); known && ok {
			t.note("CPU %d %% while there are none", (end-begin)*100/time.Second)
			if end-begin > 200*time.Millisecond {
				return fmt.Errorf("while there are none it uses %v of CPU per second", end-begin)
			}
		}
		if err := ask(); err != nil { // the server may have closed an idle connection to make room
			c, newErr := t.dial(p)
			if newErr == nil {
				defer c.Close()
				newErr = c.ask(request("/echo?q=new"), "new")
			}
			if newErr != nil {
				return fmt.Errorf("%w, and a new one: %w", err, newErr)
			}
			t.note("idle connections make room for new ones")
		}
		if n := p.messages.count(); n > 20 {
			return fmt.Errorf("%d messages in the log", n)
		}
		for _, c := range append(all, stay...) {
			c.Close()
		}
		d, err := t.recovers(p)
		if err == nil && d > 2*time.Second {
			err = fmt.Errorf("it took %v to serve again", d.Round(time.Millisecond))
		}
		return err
	})
}

func memory(t *trial) error {
	if err := hugeHeap(t); err != nil {
		return err
	}
	return t.orNoted("in little memory", littleMemory(t))
}

// endless is a header of a megabyte without an end.
var endless = "GET / HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("x", 1000000)

// hugeHeap lets clients send headers that do not end, and expects the server to free their memory
// afterwards.
func hugeHeap(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		n := t.few(50, 300)
		all, err := t.dials(p, n)
		if err != nil {
			return err
		}
		if err := t.each(n, func(i int) error { return all[i].send(endless) }); err != nil {
			return err
		}
		r, err := p.report()
		if err != nil {
			return err
		}
		each := (max(r.Heap, p.start.Heap) - p.start.Heap) / uint64(n)
		t.note("%d kB of heap for a header of 1 MB that does not end", each>>10)
		if each > 8<<20 {
			return fmt.Errorf("a header of 1 MB takes %d MB", each>>20)
		}
		for _, c := range all {
			c.Close()
		}
		if err := t.quiet(p); err != nil {
			return err
		}
		if _, err := p.command("gc"); err != nil {
			return err
		}
		if r, err = p.report(); err == nil && r.Heap > p.start.Heap+16<<20 {
			err = fmt.Errorf("%d MB of heap are kept", r.Heap>>20)
		}
		return err
	})
}

// littleMemory uses more such clients than the process has memory for. Only a bound on connections
// helps.
func littleMemory(t *trial) error {
	const limit, conns = 96 << 20, 20
	s := setup{ReadHeader: headerTime, Conns: conns, env: []string{fmt.Sprintf("GOMEMLIMIT=%d", limit/4*3)}}
	return t.with(s, func(p *process) error {
		group, err := t.confine(p, memoryOf(limit))
		if err != nil {
			return err
		}
		n := t.few(200, 500)
		if err := t.each(n, func(int) error {
			c, err := t.tcp(p)
			if err != nil {
				return err
			}
			defer c.Close()
			c.send(endless) // the server may close the connection before it has read everything
			c.end()
			return nil
		}); err != nil {
			return err
		}
		if err := p.alive(); err != nil {
			return fmt.Errorf("%d headers of 1 MB in %d MB: %w", n, limit>>20, err)
		}
		t.note("%d of them in %d MB, of which %d MB were used", n, limit>>20, peak(group)>>20)
		return nil
	})
}
