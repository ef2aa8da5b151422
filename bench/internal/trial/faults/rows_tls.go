package faults

import (
	"bufio"
	"fmt"
	"strings"
)

// Rows with faults in TLS.

func tlsFaults(t *trial) error {
	return t.with(setup{TLS: true, ReadHeader: headerTime}, func(p *process) error {
		// The beginning of a ClientHello.
		const hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
		for name, text := range map[string]string{
			"a stalled handshake": hello,
			"a garbage record":    "\x16\x03\x01\x00\x05garbage garbage",
			"a record too large":  "\x16\x03\x01\xff\xff" + strings.Repeat("x", 1000),
			"an alert at once":    "\x15\x03\x01\x00\x02\x02\x28",
		} {
			err := t.each(20, func(i int) error {
				c, err := t.tcp(p)
				if err != nil {
					return err
				}
				defer c.Close()
				if err := c.send(text); err != nil {
					return err
				}
				if i%4 == 0 {
					c.reset()
					return nil
				}
				if i == 1 {
					if err := t.prompt(p); err != nil {
						return err
					}
				}
				_, err = c.end()
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		c, err := t.tcp(p)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send(request("/")); err != nil {
			return err
		}
		status, body, err := (&client{r: bufio.NewReader(c)}).answer("GET")
		if err != nil || status != 400 || !strings.Contains(body, "HTTPS") {
			return fmt.Errorf("plaintext is answered with %d %q, %v", status, body, err)
		}
		// Clients that disconnect without a close_notify alert.
		return t.each(20, func(i int) error {
			c, err := t.dial(p)
			if err != nil {
				return err
			}
			defer c.tcp.Close()
			if err := c.ask(request("/echo?q=tls"), "tls"); err != nil {
				return err
			}
			if i%2 == 0 {
				c.reset()
			}
			return nil
		})
	})
}
