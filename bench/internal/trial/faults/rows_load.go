package faults

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Rows with many clients, or with clients that send too much.

func overload(t *trial) error {
	return t.with(setup{Workers: capacity, Queue: 2 * capacity, QueueWait: 200 * time.Millisecond}, func(p *process) error {
		var peak atomic.Int64
		begin := time.Now()
		err := t.each(2*capacity, func(int) error {
			for time.Since(begin) < time.Second {
				if err := t.get(p, "/limited"); err != nil {
					return err
				}
				peak.Add(1)
			}
			return nil
		})
		if err != nil {
			return err
		}
		peakRate := float64(peak.Load()) / time.Since(begin).Seconds()

		seconds := t.few(2, 10)
		rate := int(10 * capacity * time.Second / pace)
		var good, refused atomic.Int64
		var all sync.WaitGroup
		begin = time.Now()
		for i := range seconds * rate {
			t.pause(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
			all.Go(func() {
				switch t.impatient(p, "/limited") {
				case 200:
					good.Add(1)
				case 503:
					refused.Add(1)
				}
			})
		}
		took := time.Since(begin)
		goodput := float64(good.Load()) / took.Seconds()
		all.Wait()
		ended := time.Now()
		if err := t.get(p, "/limited"); err != nil {
			return fmt.Errorf("afterwards: %w", err)
		}
		t.note("goodput %.2f of the peak, %d refused", goodput/peakRate, refused.Load())
		switch {
		case goodput < 0.8*peakRate:
			return fmt.Errorf("goodput is %.2f of the peak: %d of %d answered within a second, %d refused", goodput/peakRate, good.Load(), seconds*rate, refused.Load())
		case time.Since(ended) > 2*time.Second:
			return fmt.Errorf("it took %v to recover", time.Since(ended).Round(time.Millisecond))
		}
		return nil
	})
}

// impatient sends one request and waits for at most a second. It returns the status, or zero if
// there is no response.
func (t *trial) impatient(p *process, path string) int {
	c, err := t.dial(p)
	if err != nil {
		return 0
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if c.send("GET "+path+" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n") != nil {
		return 0
	}
	status, _, err := c.answer("GET")
	if err != nil {
		return 0
	}
	return status
}

func churn(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		stays, err := t.dial(p)
		if err != nil {
			return err
		}
		defer stays.Close()
		const clients = 16
		end := make(chan struct{})
		kept := make(chan error, 1)
		go func() { kept <- whileOpen(end, stays) }()
		err = t.each(clients, func(i int) error {
			for range t.few(2000, 50000) / clients {
				if err := t.get(p, "/"); err != nil {
					return err
				}
			}
			return nil
		})
		close(end)
		if e := <-kept; e != nil {
			return fmt.Errorf("the connection that stays: %w", e)
		}
		return err
	})
}

// whileOpen sends requests on a connection until end is closed.
func whileOpen(end <-chan struct{}, c *client) error {
	for {
		select {
		case <-end:
			return nil
		case <-time.After(5 * time.Millisecond):
		}
		c.SetDeadline(time.Now().Add(patience))
		if err := c.ask(request("/echo?q=stays"), "stays"); err != nil {
			return err
		}
	}
}

func pipelines(t *trial) error {
	err := t.with(setup{Write: headerTime}, func(p *process) error {
		n := t.few(2000, 10000)
		var text, want strings.Builder
		for i := range n {
			text.WriteString(request(fmt.Sprintf("/echo?q=%d", i)))
		}
		text.WriteString("GET /echo?q=end HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		sent := make(chan error, 1)
		go func() { sent <- c.send(text.String()) }()
		for i := range n {
			want.Reset()
			fmt.Fprint(&want, i)
			if err := c.expect(want.String()); err != nil {
				return fmt.Errorf("request %d: %w", i, err)
			}
		}
		if err := <-sent; err != nil {
			return err
		}
		if err := c.expect("end"); err != nil {
			return err
		}
		// WriteTimeout ends the connection of a client that keeps sending and reads nothing.
		deaf, err := t.dial(p)
		if err != nil {
			return err
		}
		defer deaf.Close()
		many := strings.Repeat(request("/big?n=10000"), 100)
		for range 1 << 20 {
			if err := deaf.send(many); err != nil {
				var ne net.Error
				if errors.As(err, &ne) && ne.Timeout() {
					return errors.New("one that reads nothing is read from for ever")
				}
				return nil
			}
		}
		return errors.New("one that reads nothing may send as much as it likes")
	})
	if err != nil {
		return err
	}
	// Clients that keep all workers busy with pipelines do not shut out other clients.
	return t.with(setup{Workers: 4}, func(p *process) error {
		all, err := t.dials(p, 4)
		if err != nil {
			return err
		}
		const n = 150
		for _, c := range all {
			if err := c.send(strings.Repeat(request("/echo?wait=20ms&q=p"), n)); err != nil {
				return err
			}
		}
		if err := all[0].expect("p"); err != nil {
			return err
		}
		begin := time.Now()
		if err := t.get(p, "/"); err != nil {
			return err
		}
		if d := time.Since(begin); d > 2*time.Second {
			return fmt.Errorf("4 pipelines of %d requests held all workers: another client waited %v", n, d.Round(time.Millisecond))
		}
		for _, c := range all {
			c.Close()
		}
		return nil
	})
}

func mixed(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		const clients = 20
		rounds := t.few(1000, 10000) / clients
		return t.each(clients, func(i int) error {
			for n := range rounds {
				if err := t.oneFault(p, i, n); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// oneFault carries out one fault among others: the n-th of client i.
func (t *trial) oneFault(p *process, i, n int) error {
	c, err := t.dial(p)
	if err != nil {
		return err
	}
	defer c.Close()
	canary := fmt.Sprintf("canary-%d-%d", i, n)
	if err := c.ask(request("/echo?q="+canary), canary); err != nil {
		return err
	}
	fault := []string{request("/leak"), request("/goexit"), request("/panic?how=abort"), "GET / HT", "",
		"POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nx", request("/big?n=1000000")}[(i+n)%7]
	if err := c.send(fault); err != nil {
		return err
	}
	if n%2 == 0 {
		c.reset()
	}
	c.Close()
	d, err := t.dial(p)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.send(request("/echo?q=" + canary)); err != nil {
		return err
	}
	head, body, err := d.raw(len(canary))
	if err != nil {
		return err
	}
	if strings.Contains(head, "leak") || strings.Contains(head, "Leak") || body != canary {
		return fmt.Errorf("%s was answered with %q %q", canary, head, body)
	}
	return nil
}
