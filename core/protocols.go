package recycling

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"

	"github.com/recycling-go/recycling/core/internal/http1"
)

// prepare makes the http.Server ready for HTTP/2, as its Serve would before anything else. Nothing but Serve and
// ServeTLS does that; ServeTLS returns right after it if it cannot read the certificate.
func (f *fleet) prepare() {
	h := f.server.HTTP
	if h.TLSConfig == nil || slices.Contains(h.TLSConfig.NextProtos, "h2") || h.Protocols != nil && h.Protocols.UnencryptedHTTP2() {
		f.prepareTLS()
	}
}

// prepareTLS does so whatever there is to say against it. Called again, it does nothing.
func (f *fleet) prepareTLS() { f.server.HTTP.ServeTLS(noListener{}, "\x00", "\x00") }

// tlsConfig is what http.Server's ServeTLS makes of its TLSConfig.
func (f *fleet) tlsConfig(certFile, keyFile string) (*tls.Config, error) {
	f.prepareTLS()
	config := new(tls.Config)
	if c := f.server.HTTP.TLSConfig; c != nil {
		config = c.Clone()
	}
	http1, http2 := f.protocols()
	config.NextProtos = nextProtos(config.NextProtos, http1, http2)
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

// protocols reports which protocols may be spoken over TLS. HTTP/2 has been prepared.
func (f *fleet) protocols() (http1, http2 bool) {
	h := f.server.HTTP
	if h.Protocols != nil {
		return h.Protocols.HTTP1(), h.Protocols.HTTP2()
	}
	return true, h.TLSNextProto["h2"] != nil
}

// nextProtos adds the names of the protocols that may be spoken to a list for ALPN, and takes out those of
// the others.
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

// A noListener is a listener that is never asked for anything.
type noListener struct{}

func (noListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (noListener) Close() error              { return nil }
func (noListener) Addr() net.Addr            { return &net.TCPAddr{} }

// ForNetHTTP tells this listener from those that are served here.
func (noListener) ForNetHTTP() {}

// unencryptedHTTP2 is what package net/http calls HTTP/2 without TLS in TLSNextProto.
const unencryptedHTTP2 = "unencrypted_http2"

// delegate gives c to the http.Server's function for another protocol, as net/http would. That function serves it to its end,
// on a goroutine of its own: c holds no worker.
func (f *fleet) delegate(c *http1.Conn, protocol string, ahead []byte) {
	nc, err := c.NetConn()
	if err != nil {
		c.End()
		return
	}
	tc, encrypted := nc.(*tls.Conn)
	if !encrypted {
		protocol = unencryptedHTTP2
		tc = tls.Client(plainConn{conn: &http1.RereadConn{Conn: nc, Ahead: ahead}}, nil)
	}
	fn := f.server.HTTP.TLSNextProto[protocol]
	if fn == nil {
		c.End()
		return
	}
	h := &delegated{http1: f.http, base: c.Base(), conn: nc}
	if encrypted {
		h.tls = tc
	}
	go func() {
		defer func() { c.Panicked(recover()) }()
		fn(f.server.HTTP, tc, h)
	}()
}

// A delegated is the handler of a connection that was given away.
type delegated struct {
	http1 *http1.Server
	base  context.Context
	conn  net.Conn
	tls   *tls.Conn // nil without TLS
}

// BaseContext is how package net/http's HTTP/2 asks for the context of its requests.
func (h *delegated) BaseContext() context.Context { return h.base }

func (h *delegated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil && h.tls != nil {
		state := h.tls.ConnectionState()
		r.TLS = &state
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if r.RemoteAddr == "" {
		r.RemoteAddr = h.conn.RemoteAddr().String()
	}
	h.http1.ServeHTTP(w, r)
}

// A plainConn is how package net/http's HTTP/2 is given a connection without TLS where it wants a tls.Conn.
type plainConn struct {
	net.Conn // nil: it is asked for nothing but the following
	conn     net.Conn
}

func (c plainConn) UnencryptedNetConn() net.Conn { return c.conn }
