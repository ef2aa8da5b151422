package proxyproto

import (
	"cmp"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Config says which peers send a header of the PROXY protocol, and bounds it. The zero value is
// invalid, because no peer is trusted.
//
// This package does not modify a Config, and does not retain it.
type Config struct {
	// Trusted are the addresses of the proxies, such as 10.0.0.0/8 or 192.0.2.1/32. A peer with one
	// of these addresses can claim any address for its client, so a prefix should contain only
	// proxies. An IPv4 prefix also matches IPv4 peers of an IPv6 socket.
	Trusted []netip.Prefix

	// TrustUnix says that the peers of Unix sockets are proxies.
	TrustUnix bool

	// Optional says that a proxy may also omit the header. Then a connection that does not begin
	// like a header is served as it is, with the address of the proxy. Use it only while the
	// proxies are being reconfigured: a proxy that sends no header forwards what its client has
	// sent, and that may be a header. Without Optional, such a connection is closed.
	Optional bool

	// Timeout is how long a proxy may take to send the header. With Optional, it begins with the
	// first byte. Zero means 5 seconds, enough if a packet is lost; negative means no limit.
	Timeout time.Duration

	// MaxHeader is how many bytes a header of version 2 may have. A longer one is malformed. Zero
	// means 4,096, enough for a client certificate. It is an error if MaxHeader is less than 536,
	// which every receiver must accept, or more than 65,551, the most that the format allows. A
	// header of version 1 has at most 107 bytes.
	MaxHeader int

	// ErrorLog gets a line for each connection that is closed because of its header, at most ten
	// in a second. Nil means the ErrorLog of the http.Server in a recycling.Server, and otherwise
	// the standard logger.
	ErrorLog *log.Logger
}

// Defaults and bounds of a Config.
const (
	defaultTimeout   = 5 * time.Second
	defaultMaxHeader = 4096
	leastMaxHeader   = 536
	greatestHeader   = v2Fixed + 1<<16 - 1
)

// maxLines is how many lines a Policy logs in a second.
const maxLines = 10

// A Policy is a Config that was checked. Servers use it. All methods are safe for concurrent use.
type Policy struct {
	config Config

	mu    sync.Mutex // guards the following
	since time.Time  // when the current second of logging began
	lines int        // that were logged in it
}

// Policy checks c. An error names the field and its value.
func (c *Config) Policy() (*Policy, error) {
	p := &Policy{config: *c}
	p.config.Trusted = slices.Clone(c.Trusted)
	for i, prefix := range p.config.Trusted {
		bits := prefix.Bits()
		if a := prefix.Addr(); a.Is4In6() {
			if bits -= 96; bits < 0 {
				return nil, fmt.Errorf("proxyproto: Config.Trusted[%d] is %v, want an IPv4 prefix or one that holds no IPv4 addresses", i, prefix)
			}
			p.config.Trusted[i] = netip.PrefixFrom(a.Unmap(), bits)
		} else if !prefix.IsValid() {
			return nil, fmt.Errorf("proxyproto: Config.Trusted[%d] is %v, want a prefix such as 10.0.0.0/8", i, prefix)
		}
	}
	if len(c.Trusted) == 0 && !c.TrustUnix {
		return nil, errors.New("proxyproto: Config.Trusted is empty and Config.TrustUnix is false, want at least one proxy")
	}
	if n := c.MaxHeader; n != 0 && (n < leastMaxHeader || n > greatestHeader) {
		return nil, fmt.Errorf("proxyproto: Config.MaxHeader is %d, want zero (the default) or %d to %d", n, leastMaxHeader, greatestHeader)
	}
	p.config.Timeout = max(cmp.Or(c.Timeout, defaultTimeout), 0)
	p.config.MaxHeader = cmp.Or(c.MaxHeader, defaultMaxHeader)
	return p, nil
}

// Optional reports whether a proxy may omit the header.
func (p *Policy) Optional() bool { return p.config.Optional }

// Timeout returns how long a proxy may take to send its header; zero means no limit.
func (p *Policy) Timeout() time.Duration { return p.config.Timeout }

// MaxHeader returns how many bytes must have arrived before Parse no longer returns
// [ErrIncomplete].
func (p *Policy) MaxHeader() int { return p.config.MaxHeader }

// Trusts reports whether peers of this address are proxies.
func (p *Policy) Trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(p.config.Trusted, func(t netip.Prefix) bool { return t.Contains(a) })
}

// TrustsUnix reports whether peers of Unix sockets are proxies.
func (p *Policy) TrustsUnix() bool { return p.config.TrustUnix }

// trustsAddr is Trusts for any kind of address.
func (p *Policy) trustsAddr(a net.Addr) bool {
	switch a := a.(type) {
	case nil:
		return false
	case *net.TCPAddr:
		return p.Trusts(a.AddrPort().Addr())
	case *net.UnixAddr:
		return p.config.TrustUnix
	}
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && p.Trusts(ap.Addr())
}

// Parse parses the header that b begins with, where b is what has arrived so far. The errors are
// those of [Parse]. If the header is optional and absent, Parse returns the zero Header.
func (p *Policy) Parse(b []byte) (Header, error) {
	h, err := Parse(b, p.config.MaxHeader)
	if p.config.Optional && errors.Is(err, ErrNoHeader) {
		return Header{}, nil
	}
	return h, err
}

// Log logs that the connection of a proxy is closed because of err, unless too many lines were
// logged just before. It does not log that a connection has ended before anything was sent on it,
// because some load balancers check a server by only connecting to it. Without an ErrorLog, it
// calls logf, or [log.Printf] if that is nil.
func (p *Policy) Log(logf func(format string, args ...any), proxy net.Addr, err error) {
	for _, reason := range []error{ErrMalformed, ErrNoHeader, ErrIncomplete, nil} {
		if reason == nil {
			return
		}
		if errors.Is(err, reason) {
			break
		}
	}
	if !p.take() {
		return
	}
	switch {
	case p.config.ErrorLog != nil:
		logf = p.config.ErrorLog.Printf
	case logf == nil:
		logf = log.Printf
	}
	logf("http: PROXY protocol error from %s: %v", proxy, err)
}

// take reports whether another line may be logged.
func (p *Policy) take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.since) >= time.Second {
		p.since, p.lines = now, 0
	}
	p.lines++
	return p.lines <= maxLines
}
