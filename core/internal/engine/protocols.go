package engine

import (
	"crypto/tls"
	"net"
	"slices"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

// prepare configures HTTP/2 in the http.Server, as its Serve would do first, if that is necessary.
func (e *Engine) prepare() {
	e.preparing.Lock()
	defer e.preparing.Unlock()
	h := e.config.HTTP
	if h.TLSConfig == nil || slices.Contains(h.TLSConfig.NextProtos, "h2") || h.Protocols != nil && h.Protocols.UnencryptedHTTP2() {
		e.prepareTLS()
	}
}

// prepareTLS configures HTTP/2 unconditionally. Only Serve and ServeTLS of http.Server do that;
// ServeTLS returns right afterwards if it cannot read the certificate. Calling it again has no
// effect.
func (e *Engine) prepareTLS() { e.config.HTTP.ServeTLS(noListener{}, "\x00", "\x00") }

// tlsConfig returns the config that http.Server's ServeTLS would make from its TLSConfig.
func (e *Engine) tlsConfig(certFile, keyFile string) (*tls.Config, error) {
	config, one, two := e.preparedTLS()
	config.NextProtos = nextProtos(config.NextProtos, one, two)
	has := len(config.Certificates) > 0 || config.GetCertificate != nil || config.GetConfigForClient != nil
	if !has || certFile != "" || keyFile != "" {
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}

// preparedTLS returns a copy of the http.Server's TLSConfig, once HTTP/2 is configured, and which
// protocols are enabled.
func (e *Engine) preparedTLS() (config *tls.Config, http1, http2 bool) {
	e.preparing.Lock()
	defer e.preparing.Unlock()
	e.prepareTLS()
	config = new(tls.Config)
	if c := e.config.HTTP.TLSConfig; c != nil {
		config = c.Clone()
	}
	http1, http2 = e.protocols()
	return config, http1, http2
}

// protocols reports which protocols are enabled over TLS. HTTP/2 must have been configured.
func (e *Engine) protocols() (http1, http2 bool) {
	h := e.config.HTTP
	if p := gohttp.Protocols(h); p != nil {
		return p.HTTP1(), p.HTTP2()
	}
	return true, h.TLSNextProto["h2"] != nil
}

// nextProtos returns list, a list of protocols for ALPN, with the enabled protocols added and the
// disabled ones removed.
func nextProtos(list []string, http1, http2 bool) []string {
	var out []string
	for _, name := range list {
		if name == "http/1.1" && !http1 || name == "h2" && !http2 {
			continue
		}
		out = append(out, name)
	}
	if http2 && !slices.Contains(out, "h2") {
		out = append(out, "h2")
	}
	if http1 && !slices.Contains(out, "http/1.1") {
		out = append(out, "http/1.1")
	}
	return out
}

// A noListener is a listener that accepts nothing.
type noListener struct{}

func (noListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (noListener) Close() error              { return nil }
func (noListener) Addr() net.Addr            { return &net.TCPAddr{} }

// ForNetHTTP marks the listener as internal: see isInternal.
func (noListener) ForNetHTTP() {}
