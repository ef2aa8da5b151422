package faults

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Rows with handlers that misbehave.

func panics(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		const n = 10
		for _, how := range []string{"before", "header", "hijack", "nil", "abort"} {
			before := p.messages.count()
			for range n {
				if err := t.onePanic(p, how); err != nil {
					return fmt.Errorf("panic %s: %w", how, err)
				}
			}
			want := n
			if how == "abort" {
				want = 0
			}
			if err := t.await(p, "the log", func(report) bool { return p.messages.count()-before >= want }); err != nil {
				return fmt.Errorf("panic %s: %w", how, err)
			}
			if got := p.messages.count() - before; got != want {
				return fmt.Errorf("panic %s: %d messages in the log, want %d", how, got, want)
			}
		}
		if !strings.Contains(p.Log(), "goroutine ") {
			return errors.New("no stack in the log")
		}
		return t.hookPanic()
	})
}

// onePanic makes a handler panic, and looks for traces of that in the next response.
func (t *trial) onePanic(p *process, how string) error {
	c, err := t.dial(p)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.send(request("/panic?how=" + how)); err != nil {
		return err
	}
	b, err := io.ReadAll(c.r)
	if err != nil {
		return err
	}
	if how == "header" && (!strings.Contains(string(b), "part") || strings.HasSuffix(string(b), "0\r\n\r\n")) {
		return fmt.Errorf("the answer looks whole: %q", b)
	}
	if how != "header" && len(b) > 0 {
		return fmt.Errorf("answered with %q", b)
	}
	d, err := t.dial(p)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.send(request("/")); err != nil {
		return err
	}
	head, body, err := d.raw(2)
	if err != nil || body != "ok" || strings.Contains(head, "X-Leak") {
		return fmt.Errorf("the next answer was %q %q, %v", head, body, err)
	}
	return nil
}

// hookPanic makes the ConnState hook panic once.
func (t *trial) hookPanic() error {
	err := t.with(setup{HookPanics: true}, func(p *process) error {
		if _, err := p.command("arm"); err != nil {
			return err
		}
		if err := t.get(p, "/"); err == nil {
			return errors.New("the request whose hook panics was answered")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ConnState: %w", err)
	}
	return nil
}

func goexits(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		const clients = 10
		return t.each(clients, func(int) error {
			for range t.few(200, 1000) / clients {
				c, err := t.dial(p)
				if err != nil {
					return err
				}
				c.send(request("/goexit"))
				_, err = c.end()
				c.Close()
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func hangs(t *trial) error {
	const workers = 4
	s := setup{Workers: workers, QueueWait: 500 * time.Millisecond}
	err := t.with(s, func(p *process) error {
		all, err := t.dials(p, workers)
		if err != nil {
			return err
		}
		for _, c := range all {
			if err := c.send(request("/hang")); err != nil {
				return err
			}
		}
		if err := t.event(p, "hang", workers); err != nil {
			return err
		}
		if err := t.get(p, "/healthz"); err != nil {
			return fmt.Errorf("the health check, while all workers hang: %w", err)
		}
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send(request("/")); err != nil {
			return err
		}
		status, _, err := c.answer("GET")
		if err != nil {
			return fmt.Errorf("another request while all workers hang: %w", err)
		}
		t.note("another request gets %d", status)
		if status != 200 && status != 503 {
			return fmt.Errorf("another request while all workers hang gets %d", status)
		}
		for _, c := range all {
			c.Close()
		}
		return t.event(p, "cancelled", workers)
	})
	if err != nil {
		return err
	}
	p, err := t.start(s)
	if err != nil {
		return err
	}
	all, err := t.dials(p, workers)
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := c.send(request("/hang?forever=1")); err != nil {
			return err
		}
	}
	if err := t.event(p, "hang", workers); err != nil {
		return err
	}
	text, err := p.shutdown(300 * time.Millisecond)
	if err == nil && text != "context deadline exceeded" {
		err = fmt.Errorf("its Shutdown returned %q, want the error of its context", text)
	}
	return err
}

func mutation(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		for range 20 {
			if err := c.ask("POST /mutate HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody", "mutated"); err != nil {
				return err
			}
			if err := c.ask(request("/echo?q=next"), "next"); err != nil {
				return err
			}
		}
		return nil
	})
}

func stacks(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		if err := t.each(4, func(int) error { return t.get(p, "/recurse?mb=64") }); err != nil {
			return err
		}
		for range 100 {
			if err := t.get(p, "/"); err != nil {
				return err
			}
		}
		if _, err := p.command("gc"); err != nil {
			return err
		}
		r, err := p.report()
		if err != nil {
			return err
		}
		t.note("%d MB of stacks left", r.Stack>>20)
		if r.Stack > p.start.Stack+8<<20 {
			return fmt.Errorf("after 20 collections there are %d MB of stacks", r.Stack>>20)
		}
		return nil
	})
}

func injection(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send(request("/inject")); err != nil {
			return err
		}
		head, body, err := c.raw(2)
		if err != nil || body != "ok" {
			return fmt.Errorf("answered with %q %q, %v", head, body, err)
		}
		for line := range strings.SplitSeq(head, "\r\n") {
			if strings.HasPrefix(line, "Injected") || strings.ContainsAny(line, "\r\n") || strings.HasPrefix(line, "X-Name") || strings.HasPrefix(line, "X-Colon") {
				return fmt.Errorf("a line of the answer is %q", line)
			}
		}
		return c.ask(request("/echo?q=next"), "next")
	})
}

func framing(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		one := func(how, method string, next bool) (string, bool, error) {
			c, err := t.dial(p)
			if err != nil {
				return "", false, err
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			err = c.send(method + " /frame?how=" + how + " HTTP/1.1\r\nHost: test\r\n\r\n")
			if err == nil && next {
				err = c.send("GET /echo?q=next HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			}
			if err != nil {
				return "", false, err
			}
			b, err := io.ReadAll(c.r)
			return string(b), strings.HasSuffix(string(b), "\r\n\r\nnext"), err
		}
		for _, v := range []struct {
			how, method string
			next        bool // the connection serves another request
			has         string
			not         []string
		}{
			{"short", "GET", false, "\r\n\r\n12345", nil},
			{"long", "GET", false, "\r\n\r\n12345", []string{"6789"}},
			{"long", "HEAD", true, "Content-Length: 5\r\n", []string{"12345"}},
			{"204", "GET", true, " 204 ", []string{"a body", "Transfer-Encoding"}},
			{"304", "GET", true, " 304 ", []string{"a body"}},
			{"99", "GET", false, "", []string{" 99 ", "HTTP/1.1 099"}},
		} {
			text, next, err := one(v.how, v.method, v.next)
			if err != nil {
				return fmt.Errorf("%s %s: %w", v.method, v.how, err)
			}
			if next != v.next || !strings.Contains(text, v.has) {
				return fmt.Errorf("%s %s is answered with %q", v.method, v.how, text)
			}
			for _, not := range v.not {
				if strings.Contains(text, not) {
					return fmt.Errorf("%s %s is answered with %q", v.method, v.how, text)
				}
			}
		}
		if err := t.event(p, "refused write", 4); err != nil { // long, 204, 304, and long to HEAD
			return err
		}
		return t.get(p, "/twice")
	})
}

func hijacks(t *trial) error {
	return t.with(setup{ReadHeader: headerTime, Write: headerTime, Idle: headerTime}, func(p *process) error {
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		const early = "bytes that came with the request"
		if err := c.send("GET /hijack HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n" + early); err != nil {
			return err
		}
		head, body, err := c.raw(len(early))
		if err != nil || !strings.Contains(head, " 101 ") || body != early {
			return fmt.Errorf("answered with %q %q, %v", head, body, err)
		}
		time.Sleep(headerTime + headerTime/2) // no deadline may be left
		const late = "later ones"
		if err := c.send(late); err != nil {
			return err
		}
		b := make([]byte, len(late))
		if _, err := io.ReadFull(c.r, b); err != nil || string(b) != late {
			return fmt.Errorf("after the timeouts of requests: %q, %v", b, err)
		}
		if err := c.closeWrite(); err != nil {
			return err
		}
		if _, err := c.end(); err != nil {
			return err
		}
		// Hijacked connections that stay open hold no worker.
		const n = 20
		all, err := t.dials(p, n)
		if err != nil {
			return err
		}
		for _, c := range all {
			if err := c.send(request("/hijack?keep=1")); err != nil {
				return err
			}
		}
		err = t.await(p, "workers to be free again", func(r report) bool { return r.Hijacked == n+1 && r.Busy == 0 })
		if err != nil {
			return err
		}
		if err := p.release(); err != nil {
			return err
		}
		return t.ends(all)
	})
}

func blockedHooks(t *trial) error {
	for _, s := range []setup{{BlockLog: true}, {HookBlocks: true}} {
		err := t.with(s, func(p *process) error {
			if _, err := p.command("arm"); err != nil {
				return err
			}
			c, err := t.dial(p)
			if err != nil {
				return err
			}
			defer c.Close()
			if err := c.send(request("/panic?how=before")); err != nil {
				return err
			}
			time.Sleep(50 * time.Millisecond) // until the log or the hook blocks
			for range 20 {
				if err := t.prompt(p); err != nil {
					return err
				}
			}
			if err := p.release(); err != nil {
				return err
			}
			_, err = c.end()
			return err
		})
		if err != nil {
			return fmt.Errorf("log %v, hook %v: %w", s.BlockLog, s.HookBlocks, err)
		}
	}
	return nil
}
