package faults

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Rows with faults that the operator or the machine causes.

func sigterm(t *trial) error {
	rounds := t.few(3, 20)
	var lost, late, answered atomic.Int64
	var example atomic.Pointer[error]
	for range rounds {
		p, err := t.start(setup{})
		if err != nil {
			return err
		}
		var told atomic.Bool
		ended := make(chan error, 1)
		go func() {
			ended <- t.each(50, func(i int) error {
				for {
					c, err := t.dial(p)
					if err != nil {
						return nil // the server no longer listens
					}
					// Half of the clients send the rest of their request later.
					text := request("/echo?wait=5ms&q=a")
					err = c.send(text[:20])
					// On loopback, the server has already received what was sent.
					before := err == nil && !told.Load()
					if i%2 == 0 {
						time.Sleep(5 * time.Millisecond)
					}
					if err == nil {
						err = c.ask(text[20:], "a")
					}
					c.Close()
					switch {
					case err == nil:
					case before:
						lost.Add(1)
						example.Store(&err)
						return nil
					default:
						late.Add(1)
						return nil
					}
					answered.Add(1)
				}
			})
		}()
		time.Sleep(200 * time.Millisecond)
		told.Store(true)
		if err := p.signal("TERM"); err != nil {
			p.Kill()
			<-ended
			return err
		}
		<-ended
		select {
		case <-p.Done():
		case <-time.After(2 * patience):
			return errors.New("it does not end")
		}
		if err := p.Err(); err != nil {
			return fmt.Errorf("it ended with %w: %s", err, p.lastMessage())
		}
	}
	if n := lost.Load(); n > 0 {
		return fmt.Errorf("%d requests were lost in %d rounds, %d answered; one: %w", n, rounds, answered.Load(), *example.Load())
	}
	t.note("none lost of those begun before, in %d rounds; %d connected after the signal and were reset", rounds, late.Load())
	return nil
}

func idleRace(t *trial) error {
	const idle = 100 * time.Millisecond
	return t.with(setup{Idle: idle}, func(p *process) error {
		var answered atomic.Int64
		n := t.few(100, 1000)
		for range n / 50 {
			err := t.each(50, func(i int) error {
				c, err := t.dial(p)
				if err != nil {
					return err
				}
				defer c.Close()
				if err := c.ask(request("/count?q=a"), "a"); err != nil {
					return err
				}
				answered.Add(1)
				time.Sleep(idle + time.Duration(i-25)*100*time.Microsecond)
				if c.ask(request("/count?q=b"), "b") == nil {
					answered.Add(1)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		r, err := p.report()
		if err != nil {
			return err
		}
		late := int(answered.Load()) - n
		if done := r.Events["counted"]; done != n+late {
			return fmt.Errorf("%d requests were handled and %d answered", done, n+late)
		}
		t.note("%d of %d came in time", late, n)
		return nil
	})
}

func handover(t *trial) error {
	if runtime.GOOS == "windows" {
		return skip("sockets are not inherited")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	t.later(func() { l.Close() })
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	t.later(func() { f.Close() })
	s := setup{Listener: "file", file: f}
	old, err := t.start(s)
	if err != nil {
		return err
	}
	const clients = 20
	end := make(chan struct{})
	var refused, lost atomic.Int64
	ended := make(chan error, 1)
	go func() {
		ended <- t.each(clients, func(int) error {
			for {
				select {
				case <-end:
					return nil
				default:
				}
				c, err := t.dial(old)
				if err != nil {
					refused.Add(1)
					continue
				}
				if c.ask(request("/echo?wait=1ms&q=a"), "a") != nil {
					lost.Add(1)
				}
				c.Close()
			}
		})
	}()
	time.Sleep(200 * time.Millisecond)
	old.Kill()
	time.Sleep(200 * time.Millisecond)
	s.Recycling = t.recycling
	p, err := newProcess(t.ctx, s)
	if err == nil {
		t.later(p.Kill)
		time.Sleep(200 * time.Millisecond)
	}
	close(end)
	if err != nil {
		l.Close()
		f.Close()
	}
	<-ended
	switch {
	case err != nil:
		return err
	case refused.Load() > 0:
		return fmt.Errorf("%d connections were refused", refused.Load())
	case lost.Load() > clients:
		return fmt.Errorf("%d requests were lost, of %d in flight at the most", lost.Load(), clients)
	}
	t.note("%d in flight were lost, none in the queue", lost.Load())
	return t.prompt(p)
}

func inheritance(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.ask(request("/echo?q=open"), "open"); err != nil {
			return err
		}
		names, _ := filepath.Glob("/proc/" + p.pid() + "/fdinfo/*")
		if names == nil {
			return skip("needs /proc")
		}
		for _, name := range names {
			fd, _ := strconv.Atoi(filepath.Base(name))
			b, err := os.ReadFile(name)
			if fd <= 2 || err != nil || inherited(p, fd) {
				continue
			}
			_, rest, _ := strings.Cut(string(b), "flags:")
			flags, err := strconv.ParseInt(strings.Fields(rest)[0], 8, 64)
			if err != nil {
				return err
			}
			const closeOnExec = 0o2000000
			if flags&closeOnExec == 0 {
				return fmt.Errorf("descriptor %d is not closed on exec", fd)
			}
		}
		return nil
	})
}

// inherited reports whether p inherited the descriptor from this process, which in turn inherited
// it from its parent.
func inherited(p *process, fd int) bool {
	there, err1 := os.Readlink(fmt.Sprintf("/proc/%s/fd/%d", p.pid(), fd))
	here, err2 := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	return err1 == nil && err2 == nil && there == here
}

func stopped(t *trial) error {
	if err := pausedProcess(t); err != nil {
		return err
	}
	return t.orNoted("a clock far ahead", clockAhead(t))
}

// clockAhead runs a process with a clock that is more than a day ahead of the start of the machine,
// as on machines with a long uptime.
func clockAhead(t *trial) error {
	wrap := []string{"unshare", "--time", "--monotonic", "100000", "--boottime", "100000"}
	if err := exec.Command(wrap[0], append(wrap[1:], "true")...).Run(); err != nil {
		return skip("needs time namespaces: " + err.Error())
	}
	return t.with(setup{ReadHeader: headerTime, Idle: time.Minute, wrap: wrap}, func(p *process) error {
		idle, err := t.dials(p, 20)
		if err != nil {
			return err
		}
		for _, c := range idle {
			if err := c.ask(request("/echo?q=a"), "a"); err != nil {
				return err
			}
		}
		begun, err := t.dial(p)
		if err != nil {
			return err
		}
		begin := time.Now()
		if err := begun.send("GET / HTTP/1.1\r\n"); err != nil {
			return err
		}
		if _, err := begun.end(); err != nil {
			return fmt.Errorf("a header that does not end: %w", err)
		}
		begun.Close()
		if took := time.Since(begin); took < headerTime*9/10 {
			return fmt.Errorf("the server waits for a header that does not end for %v, want %v", took, headerTime)
		}
		for _, c := range idle {
			if err := c.ask(request("/echo?q=b"), "b"); err != nil {
				return fmt.Errorf("an idle one: %w", err)
			}
			c.Close()
		}
		return nil
	})
}

// pausedProcess stops the process for longer than any timeout except the idle timeout, and then
// continues it.
func pausedProcess(t *trial) error {
	return t.with(setup{ReadHeader: headerTime, Write: headerTime, Idle: time.Minute}, func(p *process) error {
		idle, err := t.dials(p, 50)
		if err != nil {
			return err
		}
		for _, c := range idle {
			if err := c.ask(request("/echo?q=a"), "a"); err != nil {
				return err
			}
		}
		if err := p.signal("STOP"); err != nil {
			return err
		}
		defer p.signal("CONT") // if the function returns early
		fresh, err := t.dials(p, 20)
		if err != nil {
			return err
		}
		for _, c := range fresh {
			if err := c.send(request("/echo?q=fresh")); err != nil {
				return err
			}
		}
		t.pause(time.Duration(t.few(3, 10)) * time.Second)
		if err := p.signal("CONT"); err != nil {
			return err
		}
		for _, c := range fresh {
			if err := c.expect("fresh"); err != nil {
				return fmt.Errorf("one that came meanwhile: %w", err)
			}
		}
		for _, c := range idle {
			if err := c.send(request("/")); err != nil {
				return fmt.Errorf("an idle one: %w", err)
			}
			head, _, err := c.raw(len("ok"))
			if err != nil {
				return fmt.Errorf("an idle one: %w", err)
			}
			if err := dated(head); err != nil {
				return err
			}
			c.Close()
		}
		for _, c := range fresh {
			c.Close()
		}
		return nil
	})
}

// dated expects the Date header to be the current time.
func dated(head string) error {
	_, rest, _ := strings.Cut(head, "\r\nDate: ")
	value, _, _ := strings.Cut(rest, "\r\n")
	d, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", value)
	if err != nil {
		return err
	}
	if late := time.Since(d); late > 3*time.Second || late < -time.Second {
		return fmt.Errorf("the Date is %v old", late.Round(time.Millisecond))
	}
	return nil
}

func starved(t *trial) error {
	s := setup{ReadHeader: 2 * headerTime, env: []string{"GOGC=1", "GOMAXPROCS=1"}}
	err := t.with(s, func(p *process) error { return t.conversations(p, t.few(50, 500)) })
	if err != nil {
		return err
	}
	return t.orNoted("a tenth of a processor", throttled(t))
}

// throttled gives the process a tenth of a processor, so that it stands still for most of each
// second.
func throttled(t *trial) error {
	return t.with(setup{ReadHeader: headerTime / 2}, func(p *process) error {
		if _, err := t.confine(p, tenthOfCPU()); err != nil {
			return err
		}
		return t.conversations(p, t.few(20, 100))
	})
}

// conversations runs 20 clients. Each sends the given number of requests, one after the other.
func (t *trial) conversations(p *process, requests int) error {
	return t.each(20, func(int) error {
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		for range requests {
			if err := c.ask(request("/echo?q=starved"), "starved"); err != nil {
				return err
			}
		}
		return nil
	})
}
