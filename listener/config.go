package listener

import (
	"fmt"
	"math"
	"time"
)

// A Config says how to listen. The zero value is ready to use.
//
// A Config is only read, never written to, and not kept: it may be used again, and
// by several goroutines at once.
type Config struct {
	// Backlog is how many connections the kernel may hold before they are accepted.
	// Zero means the system's maximum, on Linux net.core.somaxconn; the kernel
	// lowers anything above to that. Negative is an error.
	// It is ignored where listen(2) cannot be called again, as on Windows.
	Backlog int

	// KeepAlive is how long a TCP connection has to be idle before it is probed, and
	// the time between probes, rounded up to whole seconds; after 9 unanswered ones the
	// connection is reset. Zero means 15 seconds, as in package net; negative means no probes.
	KeepAlive time.Duration

	// DeferAccept is how long a TCP connection may be without its first bytes before it is
	// accepted nevertheless. The kernel measures it in retransmissions of its half of the
	// handshake, so that 1, 3, 7, 15... seconds are what there is, and the next of these is used.
	// Zero means 1 second; negative means that connections are accepted at once.
	// It is ignored on systems other than Linux.
	DeferAccept time.Duration
}

const (
	defaultKeepAlive   = 15 * time.Second // package net's
	defaultDeferAccept = time.Second
	keepAliveCount     = 9 // package net's
)

// keepAlive returns the idle time and interval of keep-alive; negative: off.
func (c *Config) keepAlive() time.Duration {
	if c.KeepAlive == 0 {
		return defaultKeepAlive
	}
	return c.KeepAlive
}

// deferAccept returns the longest wait for the first bytes; negative: off.
func (c *Config) deferAccept() time.Duration {
	if c.DeferAccept == 0 {
		return defaultDeferAccept
	}
	return c.DeferAccept
}

// seconds rounds d up, as package net does for keep-alive, and keeps it within a C int.
func seconds(d time.Duration) int {
	s := d / time.Second
	if d%time.Second > 0 {
		s++
	}
	return int(min(s, math.MaxInt32))
}

// check returns an error that names the field which cannot be used.
func (c *Config) check() error {
	if c.Backlog < 0 {
		return fmt.Errorf("listener: Config.Backlog is %d; it must not be negative", c.Backlog)
	}
	return nil
}
