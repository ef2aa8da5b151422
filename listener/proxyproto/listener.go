package proxyproto

import "net"

// A Listener is a listener whose connections begin with a header.
type Listener struct {
	net.Listener

	policy *Policy
}

// NewListener returns a Listener that accepts from l, for a server that does not know of this
// package, such as one of [net/http]. It should be below TLS: tls.NewListener(l, config) on top of
// it. Accept does not wait for headers; see [Conn] for what does.
func (c *Config) NewListener(l net.Listener) (*Listener, error) {
	p, err := c.Policy()
	if err != nil {
		return nil, err
	}
	return p.Listener(l), nil
}

// Listener returns a Listener that accepts from l.
func (p *Policy) Listener(l net.Listener) *Listener { return &Listener{l, p} }

// Accept waits for the next connection. It returns a [*Conn] if the peer is a proxy.
func (l *Listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.policy.Conn(nc), nil
}

// ProxyProtocol returns what l was made with.
func (l *Listener) ProxyProtocol() *Policy { return l.policy }

// Of returns the Policy by which l reads headers, or nil if it does not.
func Of(l net.Listener) *Policy {
	if l, ok := l.(interface{ ProxyProtocol() *Policy }); ok {
		return l.ProxyProtocol()
	}
	return nil
}
