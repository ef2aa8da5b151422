package recycling_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// proxiedHeaders are headers, and the addresses that they tell; empty if the connection keeps its
// own.
var proxiedHeaders = map[string]struct{ header, want string }{
	"v1":               {proxyV1, proxiedClient + " " + proxiedServer},
	"v1 IPv6":          {"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", "[2001:db8::1]:1 [2001:db8::2]:65535"},
	"v1 UNKNOWN":       {"PROXY UNKNOWN\r\n", ""},
	"v1 UNKNOWN, long": {"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ""},
	"v2":               {proxyV2, proxiedClient + " " + proxiedServer},
	"v2 IPv6": {v2Header(0x21, 0x21, "\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x01"+"\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x02"+"\x00\x01\xff\xff"),
		"[2001:db8::1]:1 [2001:db8::2]:65535"},
	"v2 Unix":                   {v2Header(0x21, 0x31, "/client"+strings.Repeat("\x00", 101)+"/server"+strings.Repeat("\x00", 101)), "/client /server"},
	"v2 UDP":                    {v2Header(0x21, 0x12, proxyV2[16:]), proxiedClient + " " + proxiedServer},
	"v2 LOCAL":                  {v2Header(0x20, 0x00, ""), ""},
	"v2 LOCAL, with an address": {v2Header(0x20, 0x11, proxyV2[16:]), ""},
	"v2 UNSPEC":                 {v2Header(0x21, 0x00, ""), ""},
	"v2 TLVs":                   {v2Header(0x21, 0x11, proxyV2[16:]+"\x04\x00\x05noop!\x02\x00\x04host"), proxiedClient + " " + proxiedServer},
	"v2 long":                   {v2Header(0x21, 0x11, proxyV2[16:]+"\x04\x0f\xe1"+strings.Repeat("x", 0xfe1)), proxiedClient + " " + proxiedServer},
}

// pieces are ways to send the same bytes.
var pieces = map[string]func(c net.Conn, b []byte) error{
	"at once": func(c net.Conn, b []byte) error {
		_, err := c.Write(b)
		return err
	},
	"bytewise": bytewise,
}

func TestProxyProtocolTellsWhoTheClientIs(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		plain := m.start(t, &recycling.Server{ProxyProtocol: loopback()}, addresses)
		secure := m.startTLS(t, &recycling.Server{ProxyProtocol: loopback()}, addresses)
		for name, h := range proxiedHeaders {
			for how, send := range pieces {
				if how == "bytewise" && len(h.header) > 300 {
					continue
				}
				t.Run(name+" "+how, func(t *testing.T) {
					c := plain.dial(t)
					want := h.want
					if want == "" {
						want = c.own()
					}
					if err := send(c.Conn, []byte(h.header+get)); err != nil {
						t.Fatal(err)
					}
					if _, got := c.response(); got != want {
						t.Errorf("addresses are %q, want %q", got, want)
					}
					for range 3 {
						if got := c.get("/"); got != want {
							t.Errorf("then addresses are %q, want %q", got, want)
						}
					}
				})
				t.Run(name+" "+how+", TLS", func(t *testing.T) {
					c := secure.dial(t)
					want := h.want
					if want == "" {
						want = c.own()
					}
					tc := c.shakeAfter(h.header, send)
					for range 3 {
						if got := tc.get("/"); got != want {
							t.Errorf("addresses are %q, want %q", got, want)
						}
					}
				})
			}
		}
	})
}

func TestProxyProtocolBeforeHTTP2(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(true)
		protocols.SetUnencryptedHTTP2(true)
		h := func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Proto, " ")
			addresses(w, r)
		}
		plain := m.start(t, &recycling.Server{HTTP: &http.Server{Protocols: protocols}, ProxyProtocol: loopback()}, h)
		secure := m.startTLS(t, &recycling.Server{ProxyProtocol: loopback()}, h)
		only2 := new(http.Protocols)
		only2.SetHTTP2(true)
		only2.SetUnencryptedHTTP2(true)
		for url, s := range map[string]*instance{"http": plain, "https": secure} {
			_, config := credentials()
			tr := &http.Transport{Protocols: only2, TLSClientConfig: config.Clone(), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				c, err := net.Dial(s.addr.Network(), s.addr.String())
				if err == nil {
					_, err = io.WriteString(c, proxyV2)
				}
				return c, err
			}}
			getUsed(t, tr, url+"://example.test/", "HTTP/2.0 "+proxiedClient+" "+proxiedServer)
		}
	})
}

// malformedHeaders are beginnings of connections of a proxy that are no header.
var malformedHeaders = map[string]string{
	"no header":       get,
	"TLS":             "\x16\x03\x01",
	"v1 long":         "PROXY UNKNOWN " + strings.Repeat("x", 100),
	"v1 LF":           "PROXY UNKNOWN\n",
	"v1 protocol":     "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
	"v1 port":         "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
	"v1 signed port":  "PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n",
	"v1 address":      "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
	"v1 IPv6 in TCP4": "PROXY TCP4 ::1 ::1 1 2\r\n",
	"v1 zone":         "PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
	"v1 spaces":       "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
	"v1 fields":       "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
	"v1 more fields":  "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
	"v1 lower case":   "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
	"v2 version":      v2Header(0x11, 0x11, proxyV2[16:]),
	"v2 command":      v2Header(0x22, 0x11, proxyV2[16:]),
	"v2 family":       v2Header(0x21, 0x41, proxyV2[16:]),
	"v2 short":        v2Header(0x21, 0x11, proxyV2[16:27]),
	"v2 long":         v2Header(0x21, 0x11, proxyV2[16:]+strings.Repeat("x", 4096))[:16],
	"v2 LOCAL, long":  v2Header(0x20, 0x00, strings.Repeat("x", 4096))[:16],
	"v2 TLV":          v2Header(0x21, 0x11, proxyV2[16:]+"\x04\x00\x02x"),
	"v2 checksum":     v2Header(0x21, 0x11, proxyV2[16:]+"\x03\x00\x04abcd"),
	"v2 signature":    "\r\n\r\n\x00\r\nQUIT\r",
}

func TestProxyProtocolClosesMalformedConnections(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		for name, sent := range malformedHeaders {
			t.Run(name, func(t *testing.T) {
				srv, log := proxiedLog()
				s := m.start(t, &recycling.Server{HTTP: srv, ProxyProtocol: proxiedConfig(srv)}, func(http.ResponseWriter, *http.Request) {
					t.Error("a request was served")
				})
				c := s.dial(t)
				c.send("%s", sent)
				c.ended()
				want := fmt.Sprintf("http: PROXY protocol error from %v: ", c.LocalAddr())
				holdsSoon(t, "one line in the log", func() bool { return strings.HasPrefix(log.String(), want) })
				if text := log.String(); strings.Count(text, "\n") != 1 {
					t.Errorf("the log is %q", text)
				}
				s.await(t, "the end", func(st recycling.Stats) bool { return st.Open == 0 })
			})
		}
	})
}

// proxiedConfig is loopback with the log of srv, which net/http does not know of.
func proxiedConfig(srv *http.Server) *proxyproto.Config {
	c := loopback()
	c.ErrorLog = srv.ErrorLog
	return c
}

func TestProxyProtocolLogsFewLines(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		srv, log := proxiedLog()
		s := m.start(t, &recycling.Server{HTTP: srv, ProxyProtocol: proxiedConfig(srv)}, hello)
		begun := time.Now()
		for range 40 {
			c := s.dial(t)
			c.send("GET / HTTP/1.0\r\n\r\n")
			c.ended()
		}
		if n, most := strings.Count(log.String(), "\n"), 10*(1+int(time.Since(begun)/time.Second)); n == 0 || n > most {
			t.Errorf("%d lines were logged, want 1 to %d", n, most)
		}
	})
}

func TestProxyProtocolEndsTruncatedHeaders(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		for _, header := range []string{proxyV1, proxyV2} {
			for _, n := range []int{1, 5, 12, 16, len(header) - 1} {
				srv, log := proxiedLog()
				s := m.start(t, &recycling.Server{HTTP: srv, ProxyProtocol: proxiedConfig(srv)}, hello)
				c := s.dial(t)
				c.send("%s", header[:n])
				c.CloseWrite()
				c.ended()
				holdsSoon(t, "a line in the log", func() bool { return strings.Contains(log.String(), "the header is incomplete") })
			}
		}
	})
}

func TestProxyProtocolHeaderHasATimeout(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		t.Parallel()
		for _, start := range []func(testing.TB, *recycling.Server, http.HandlerFunc) *instance{m.start, m.startTLS} {
			srv, log := proxiedLog()
			config := proxiedConfig(srv)
			config.Timeout = 10 * briefly // it must not pass before the first byte is sent
			s := start(t, &recycling.Server{HTTP: srv, ProxyProtocol: config}, addresses)
			c := s.dial(t)
			c.send("PROXY ")
			c.ended()
			holdsSoon(t, "a line in the log", func() bool {
				return strings.HasPrefix(log.String(), "http: PROXY protocol error") && strings.Contains(log.String(), "timeout")
			})
			if text := log.String(); strings.Count(text, "PROXY") != 1 {
				t.Errorf("the log is %q", text)
			}
		}
		config := loopback()
		config.Timeout = 10 * briefly
		s := m.start(t, &recycling.Server{ProxyProtocol: config}, addresses)
		c := s.dial(t)
		c.send("%s", proxyV1)
		time.Sleep(12 * briefly) // it is not for the request
		if got := c.get("/"); got != proxiedClient+" "+proxiedServer {
			t.Errorf("addresses are %q", got)
		}
	})
}

func TestProxyProtocolIgnoresHeadersOfOthers(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		config := &proxyproto.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, TrustUnix: true}
		s := m.start(t, &recycling.Server{ProxyProtocol: config}, addresses)
		for _, header := range []string{proxyV1, proxyV2} {
			c := s.dial(t)
			c.send("%s%s", header, get)
			if res, _ := c.response(); res.StatusCode != http.StatusBadRequest {
				t.Errorf("the header of another was answered with %s", res.Status)
			}
		}
		c := s.dial(t)
		if got := c.get("/"); got != c.own() {
			t.Errorf("addresses are %q, want %q", got, c.own())
		}
	})
}

func TestProxyProtocolMayBeOptional(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		t.Parallel()
		config := loopback()
		config.Optional, config.Timeout = true, 10*briefly
		plain := m.start(t, &recycling.Server{ProxyProtocol: config}, addresses)
		other := *config
		secure := m.startTLS(t, &recycling.Server{ProxyProtocol: &other}, addresses)
		for _, header := range []string{proxyV1, proxyV2, ""} {
			for _, send := range pieces {
				c := plain.dial(t)
				want := proxiedClient + " " + proxiedServer
				if header == "" {
					want = c.own()
				}
				if err := send(c.Conn, []byte(header+"PROPFIND / HTTP/1.1\r\nHost: test\r\n\r\n")); err != nil {
					t.Fatal(err)
				}
				if _, got := c.response(); got != want {
					t.Errorf("addresses are %q, want %q", got, want)
				}
			}
			c := secure.dial(t)
			want := proxiedClient + " " + proxiedServer
			if header == "" {
				want = c.own()
			}
			time.Sleep(12 * briefly) // the timeout begins with the header
			c.send("%s", header)
			if got := c.shake().get("/"); got != want {
				t.Errorf("addresses over TLS are %q, want %q", got, want)
			}
		}
		if m.strategy != recycling.Goroutine { // net/http responds
			c := plain.dial(t)
			c.send("\r\n\r\n")
			c.CloseWrite()
			c.ended()
		}
	})
}

func TestProxyProtocolOnUnixSockets(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		m.listen = func() (net.Listener, error) {
			return listener.Listen(context.Background(), "unix", t.TempDir()+"/s")
		}
		s := m.start(t, &recycling.Server{ProxyProtocol: loopback()}, addresses)
		c := s.dial(t)
		c.send("%s%s", proxyV2, get)
		if _, got := c.response(); got != proxiedClient+" "+proxiedServer {
			t.Errorf("addresses are %q", got)
		}
		config := loopback()
		config.TrustUnix = false
		s = m.start(t, &recycling.Server{ProxyProtocol: config}, addresses)
		c = s.dial(t)
		c.send("%s%s", proxyV2, get)
		if res, _ := c.response(); res.StatusCode != http.StatusBadRequest {
			t.Errorf("answered with %s", res.Status)
		}
	})
}

func TestProxyProtocolSettingsAreChecked(t *testing.T) {
	for want, config := range map[string]*proxyproto.Config{
		"Server.ProxyProtocol: proxyproto: Config.Trusted is empty":          {},
		"Server.ProxyProtocol: proxyproto: Config.Trusted[0] is invalid":     {Trusted: make([]netip.Prefix, 1)},
		"Server.ProxyProtocol: proxyproto: Config.MaxHeader is 535, want":    {TrustUnix: true, MaxHeader: 535},
		"Server.ProxyProtocol: proxyproto: Config.MaxHeader is 65552, want ": {TrustUnix: true, MaxHeader: 65552},
	} {
		l, _ := listenNet()
		if err := (&recycling.Server{ProxyProtocol: config}).Serve(l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

func TestProxyProtocolTimeoutIsThatOfAllListeners(t *testing.T) {
	needsParking(t)
	s := &recycling.Server{}
	t.Cleanup(func() { end(t, s) })
	listen := func(d time.Duration) net.Listener {
		config := loopback()
		config.Timeout = d
		l, err := (&listener.Config{ProxyProtocol: config}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	// One without the option, then one with it.
	none, err := listenNet()
	if err != nil {
		t.Fatal(err)
	}
	serve(s, none)
	dialTo(t, none.Addr()).send("GET /404 HTTP/1.1\r\nHost: test\r\n\r\n")
	one := serve(s, listen(briefly))
	c := one.dial(t)
	c.send("PROXY ")
	c.ended()
	if err := s.Serve(listen(2 * briefly)); err == nil || !strings.Contains(err.Error(), "ProxyProtocol.Timeout of this listener is 100ms, want 50ms") {
		t.Errorf("the error is %v", err)
	}
	if err := s.Serve(listen(0)); errors.Is(err, http.ErrServerClosed) {
		t.Error("no error for another timeout")
	}
}

func TestProxyProtocolBelowATLSListener(t *testing.T) {
	parallel(t)
	for _, m := range modesOverTLS() {
		t.Run(m.name, func(t *testing.T) {
			s := m.start(t, &recycling.Server{ProxyProtocol: loopback()}, addresses)
			c := s.dial(t)
			c.send("%s", proxyV1)
			_, config := credentials()
			tc := tls.Client(c.Conn, config.Clone())
			if got := wrapClient(t, tc).get("/"); got != proxiedClient+" "+proxiedServer {
				t.Errorf("addresses are %q", got)
			}
		})
	}
}
