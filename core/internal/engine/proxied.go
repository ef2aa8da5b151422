package engine

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// Proxied returns a listener on l whose connections have the addresses of the headers that proxies
// send, where p says who is a proxy. It returns l itself if p is nil, or if l has a Policy of its
// own. If l is a tls listener, the new one reads the header before TLS begins.
func Proxied(l net.Listener, p *proxyproto.Policy) net.Listener {
	inner, config, secure := unwrapTLS(l)
	if !secure {
		inner = l
	}
	if p == nil || proxyproto.Of(inner) != nil {
		return l
	}
	if inner = p.Listener(inner); secure {
		return tls.NewListener(inner, config)
	}
	return inner
}

// proxyOf returns the Policy that says which peers of l are proxies, or nil if none is.
func (e *Engine) proxyOf(l net.Listener) *proxyproto.Policy {
	if inner, _, ok := unwrapTLS(l); ok {
		l = inner
	}
	if p := proxyproto.Of(l); p != nil {
		return p
	}
	return e.config.Proxy
}

// useProxyTimeout sets how long a connection waits for the header, as p says. The timeout is the
// same for all listeners whose connections park: see park.Class.
func (e *Engine) useProxyTimeout(p *proxyproto.Policy) error {
	if p == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.proxied {
		if p.Timeout() != e.http.ProxyTimeout {
			return fmt.Errorf("recycling: ProxyProtocol.Timeout of this listener is %v, want %v as for the other listeners of the Server", p.Timeout(), e.http.ProxyTimeout)
		}
		return nil
	}
	e.proxied, e.http.ProxyTimeout = true, p.Timeout()
	for _, sched := range e.parkingSchedulers {
		sched.conns().SetTimeout(http1.ForProxy, parkTimeout(p.Timeout()))
	}
	return nil
}
