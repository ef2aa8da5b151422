package listener

import (
	"fmt"
	"math"
	"time"

	"github.com/recycling-go/recycling/listener/proxyproto"
)

// A Config contains options for listening. The zero value is ready to use.
//
// A Config is only read, never modified, and not retained: it may be used again, and by several
// goroutines at once.
type Config struct {
	// Backlog is how many connections the kernel may queue before they are accepted. Zero means the
	// system's maximum, which is net.core.somaxconn on Linux; the kernel reduces larger values to
	// that. Negative is an error. Backlog is ignored where listen(2) cannot be called again, as on
	// Windows.
	Backlog int

	// KeepAlive is how long a TCP connection must be idle before it is probed, and the time between
	// probes, rounded up to whole seconds; after 9 unanswered probes the connection is reset. Zero
	// means 15 seconds, as in package net; negative disables probes.
	KeepAlive time.Duration

	// DeferAccept is how long to wait for the first bytes of a TCP connection; after that it is
	// accepted without them. The kernel measures the time in retransmissions of its part of the
	// handshake, so the possible values are 1, 3, 7, 15... seconds, and DeferAccept is rounded up
	// to the next of these. Zero means 1 second; negative means that connections are accepted at
	// once. DeferAccept is ignored on systems other than Linux.
	DeferAccept time.Duration

	// ProxyProtocol says which peers are proxies that send the header of HAProxy's PROXY protocol.
	// Accept then returns a [*proxyproto.Conn] for their connections. Nil means that no peer is a
	// proxy. A server that accepts with a [Raw] must ask [Raw.ProxyProtocol], as a recycling.Server
	// does.
	ProxyProtocol *proxyproto.Config
}

const (
	defaultKeepAlive   = 15 * time.Second // as in package net
	defaultDeferAccept = time.Second
	keepAliveCount     = 9 // as in package net
)

// keepAlive returns the keep-alive idle time and interval; negative means off.
func (c *Config) keepAlive() time.Duration {
	if c.KeepAlive == 0 {
		return defaultKeepAlive
	}
	return c.KeepAlive
}

// deferAccept returns the longest wait for the first bytes; negative means off.
func (c *Config) deferAccept() time.Duration {
	if c.DeferAccept == 0 {
		return defaultDeferAccept
	}
	return c.DeferAccept
}

// seconds rounds d up, as package net does for keep-alive, and limits it to a C int.
func seconds(d time.Duration) int {
	s := d / time.Second
	if d%time.Second > 0 {
		s++
	}
	return int(min(s, math.MaxInt32))
}

// check returns an error that names the invalid field, if there is one.
func (c *Config) check() error {
	if c.Backlog < 0 {
		return fmt.Errorf("listener: Config.Backlog is %d, want zero (the default) or more", c.Backlog)
	}
	_, err := c.proxyPolicy()
	return err
}

// proxyPolicy returns what ProxyProtocol says; nil if that is nil.
func (c *Config) proxyPolicy() (*proxyproto.Policy, error) {
	if c.ProxyProtocol == nil {
		return nil, nil
	}
	p, err := c.ProxyProtocol.Policy()
	if err != nil {
		return nil, fmt.Errorf("listener: Config.ProxyProtocol: %w", err)
	}
	return p, nil
}
