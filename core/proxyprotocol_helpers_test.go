package recycling_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// Headers of the PROXY protocol from the same client.
var (
	proxyV1 = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
	proxyV2 = v2Header(0x21, 0x11, "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb")
)

const (
	proxiedClient = "192.0.2.1:56324"
	proxiedServer = "198.51.100.1:443"
)

// v2Header returns a header of version 2.
func v2Header(command, family byte, rest string) string {
	return "\r\n\r\n\x00\r\nQUIT\n" + string(binary.BigEndian.AppendUint16([]byte{command, family}, uint16(len(rest)))) + rest
}

// clientHeader returns the header for a client with this address.
func clientHeader(ip string) string {
	return fmt.Sprintf("PROXY TCP4 %s 198.51.100.1 1234 443\r\n", ip)
}

// loopback is trusted in these tests.
func loopback() *proxyproto.Config {
	return &proxyproto.Config{
		Trusted:   []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		TrustUnix: true,
	}
}

// A proxiedMode is a way to serve with the PROXY protocol.
type proxiedMode struct {
	mode
	start    func(t testing.TB, s *recycling.Server, h http.HandlerFunc) *instance
	startTLS func(t testing.TB, s *recycling.Server, h http.HandlerFunc) *instance
}

// proxiedModes are all strategies, with the option in the Server, with the option in the listener,
// and with Use.
func proxiedModes() (all []proxiedMode) {
	for _, m := range everyMode {
		all = append(all, proxiedMode{m, m.start, m.startTLS})
		used := m
		used.name += "-used"
		all = append(all, proxiedMode{used, used.startUsed(false), used.startUsed(true)})
	}
	for _, m := range []mode{recyclingOwn, poolOwn, goroutineOwn} {
		m.name += "-listener"
		// The option moves from the Server to the listener.
		with := func(start func(mode, testing.TB, *recycling.Server, http.HandlerFunc) *instance) func(testing.TB, *recycling.Server, http.HandlerFunc) *instance {
			return func(t testing.TB, s *recycling.Server, h http.HandlerFunc) *instance {
				m, config := m, s.ProxyProtocol
				m.listen = func() (net.Listener, error) {
					return (&listener.Config{ProxyProtocol: config}).Listen(context.Background(), "tcp", "127.0.0.1:0")
				}
				s.ProxyProtocol = nil
				if config != nil && config.ErrorLog == nil && s.HTTP != nil {
					config.ErrorLog = s.HTTP.ErrorLog
				}
				return start(m, t, s, h)
			}
		}
		all = append(all, proxiedMode{m, with(mode.start), with(mode.startTLS)})
	}
	return all
}

// startUsed is start or startTLS with Use.
func (m mode) startUsed(secure bool) func(testing.TB, *recycling.Server, http.HandlerFunc) *instance {
	return func(t testing.TB, s *recycling.Server, h http.HandlerFunc) *instance {
		t.Helper()
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		srv := s.HTTP
		if srv == nil {
			srv = new(http.Server)
		}
		srv.Handler, srv.TLSConfig = h, serverKeys()
		used := recycling.Use(srv, func(u *recycling.Server) {
			u.Strategy, u.ProxyProtocol, u.Limits = m.strategy, s.ProxyProtocol, s.Limits
			u.HealthPath, u.RefuseConns = s.HealthPath, s.RefuseConns
		})
		served := make(chan error, 1)
		go func() {
			if secure {
				served <- srv.ServeTLS(l, "", "")
			} else {
				served <- srv.Serve(l)
			}
			close(served)
		}()
		t.Cleanup(func() {
			srv.Close()
			end(t, used)
		})
		return &instance{Server: used, listener: l, addr: l.Addr(), served: served}
	}
}

func forEachProxied(t *testing.T, f func(t *testing.T, m proxiedMode)) {
	for _, m := range proxiedModes() {
		t.Run(m.name, func(t *testing.T) { f(t, m) })
	}
}

// forEachProxiedParking is forEachProxied for modes whose connections park.
func forEachProxiedParking(t *testing.T, f func(t *testing.T, m proxiedMode)) {
	needsParking(t)
	for _, m := range proxiedModes() {
		if m.parks {
			t.Run(m.name, func(t *testing.T) { f(t, m) })
		}
	}
}

// addresses is a handler that responds with the addresses of the connection.
func addresses(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %v", r.RemoteAddr, r.Context().Value(http.LocalAddrContextKey))
}

// proxiedLog returns an http.Server that logs to the result.
func proxiedLog() (*http.Server, *logBuffer) {
	b := new(logBuffer)
	return &http.Server{ErrorLog: log.New(b, "", 0)}, b
}

// holdsSoon is holds, as an error of the test.
func holdsSoon(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !holds(ok) {
		t.Errorf("waited in vain for %s", what)
	}
}

// own returns the response of addresses to c if no header has changed them.
func (c *client) own() string { return fmt.Sprint(c.LocalAddr(), " ", c.RemoteAddr()) }

// within fails the test if f takes longer than d.
func within(t testing.TB, d time.Duration, what string, f func()) {
	t.Helper()
	begun := time.Now()
	if f(); time.Since(begun) > d {
		t.Errorf("%s took %v", what, time.Since(begun))
	}
}

// shakeAfter is shake with a header in the same segment as the ClientHello. It calls send for each
// segment.
func (c *client) shakeAfter(header string, send func(net.Conn, []byte) error) *secureClient {
	c.t.Helper()
	first := []byte(header)
	c.Conn = filter{c.Conn, func(to net.Conn, p []byte) error {
		p = append(first, p...)
		first = nil
		return send(to, p)
	}}
	return c.shake()
}
