package recycling_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

func TestProxyProtocolHeaderHoldsNoWorker(t *testing.T) {
	parallel(t)
	forEachProxiedParking(t, func(t *testing.T, m proxiedMode) {
		for _, secure := range []bool{false, true} {
			start := m.start
			if secure {
				start = m.startTLS
			}
			s := start(t, &recycling.Server{ProxyProtocol: loopback(), Limits: recycling.Limits{MaxWorkers: 1}}, addresses)
			var all []*client
			for i := range 20 {
				c := s.dial(t)
				c.send("%s", proxyV1[:i+1])
				all = append(all, c)
			}
			s.await(t, "all to park", func(st recycling.Stats) bool { return st.Parked == 20 && st.Busy == 0 })
			for i, c := range all {
				c.send("%s", proxyV1[i+1:i+2])
			}
			s.await(t, "all to park again", func(st recycling.Stats) bool { return st.Parked == 20 && st.Busy == 0 })
			for i, c := range all {
				c.send("%s", proxyV1[i+2:])
			}
			for _, c := range all {
				if secure {
					c = c.shake().client
				}
				for range 2 {
					if got := c.get("/"); got != proxiedClient+" "+proxiedServer {
						t.Errorf("addresses are %q", got)
					}
				}
			}
			s.await(t, "all to park after a request", func(st recycling.Stats) bool { return st.Parked == 20 })
		}
	})
}

func TestHijackedConnectionsHaveTheAddressesOfTheHeader(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		h := func(w http.ResponseWriter, r *http.Request) {
			nc, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			under := nc
			if tc, ok := nc.(*tls.Conn); ok {
				under = tc.NetConn()
			}
			pc, ok := under.(*proxyproto.Conn)
			if !ok {
				t.Errorf("the connection is a %T", under)
			} else if _, ok := pc.NetConn().(*net.TCPConn); !ok && !strings.HasPrefix(m.name, "recycling-wrapped") {
				t.Errorf("below it is a %T", pc.NetConn())
			}
			line, _ := rw.ReadString('\n')
			more := make([]byte, 5)
			if rw.Reader.Buffered() > 0 {
				io.ReadFull(rw, more)
			} else {
				io.ReadFull(nc, more)
			}
			fmt.Fprintf(nc, "%v %v %s %s\n", nc.RemoteAddr(), nc.LocalAddr(), strings.TrimSpace(line), more)
		}
		check := func(c *client) {
			t.Helper()
			want := proxiedClient + " " + proxiedServer + " hello world\n"
			if got, err := c.r.ReadString('\n'); got != want {
				t.Errorf("read %q (%v), want %q", got, err, want)
			}
			c.ended()
		}
		plain := m.start(t, &recycling.Server{ProxyProtocol: loopback()}, h)
		for _, header := range []string{proxyV1, proxyV2} {
			c := plain.dial(t)
			c.send("%s%shello\nworld", header, get)
			check(c)
			c = plain.dial(t)
			c.send("%s%shello\n", header, get)
			time.Sleep(time.Millisecond)
			c.send("world")
			check(c)
		}
		secure := m.startTLS(t, &recycling.Server{ProxyProtocol: loopback()}, h)
		c := secure.dial(t)
		c.send("%s", proxyV2)
		tc := c.shake(speaking("http/1.1"))
		tc.send("%shello\nworld", get)
		check(tc.client)
	})
}

// A hookLog records what hooks are told about one connection after the other.
type hookLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *hookLog) hooks(srv *http.Server) {
	srv.ConnState = func(nc net.Conn, s http.ConnState) { l.add("%v %v %v", s, nc.RemoteAddr(), nc.LocalAddr()) }
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		l.add("context %v", nc.RemoteAddr())
		return ctx
	}
}

func (l *hookLog) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *hookLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func TestHooksKnowTheAddressesOfTheHeader(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		for _, header := range []string{proxyV1, proxyV2} {
			for _, secure := range []bool{false, true} {
				for how, send := range pieces {
					log := new(hookLog)
					srv := new(http.Server)
					log.hooks(srv)
					start := m.start
					if secure {
						start = m.startTLS
					}
					s := start(t, &recycling.Server{HTTP: srv, ProxyProtocol: loopback()}, addresses)
					c := s.dial(t)
					if secure {
						c = c.shakeAfter(header, send).client
					} else if err := send(c.Conn, []byte(header)); err != nil {
						t.Fatal(err)
					}
					for range 2 {
						if got := c.get("/"); got != proxiedClient+" "+proxiedServer {
							t.Errorf("addresses are %q", got)
						}
					}
					c.Close()
					both := " " + proxiedClient + " " + proxiedServer
					order := []string{"context " + proxiedClient, "new" + both}
					order = append(order, "active"+both, "idle"+both, "active"+both, "idle"+both, "closed"+both)
					want := strings.Join(order, "\n")
					if !holds(func() bool { return log.String() == want }) {
						t.Errorf("%s: the hooks were told\n%s\nwant\n%s", how, log, want)
					}
				}
			}
		}
	})
}

func TestShutdownEndsConnectionsWithoutAHeader(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		t.Parallel()
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
				t.Parallel()
				start := m.start
				if secure {
					start = m.startTLS
				}
				config := loopback()
				config.Timeout = -1
				if m.strategy == recycling.Goroutine {
					config.Timeout = time.Second // net/http does not end them earlier
				}
				srv := &http.Server{ReadHeaderTimeout: time.Hour}
				s := start(t, &recycling.Server{HTTP: srv, ProxyProtocol: config}, addresses)
				c, late := s.dial(t), s.dial(t)
				c.send("PROXY ")
				late.send("PROXY ")
				s.await(t, "both", func(st recycling.Stats) bool { return st.Open == 2 })
				if m.parks {
					s.await(t, "them to park", func(st recycling.Stats) bool { return st.Parked == 2 })
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				shutdown := s.Shutdown
				if strings.HasSuffix(m.name, "-used") {
					shutdown = srv.Shutdown
				}
				done := make(chan error, 1)
				go func() { done <- shutdown(ctx) }()
				receive(t, s.served, "Serve to return")
				if m.strategy != recycling.Goroutine && !secure {
					late.send("%s%s", proxyV1[len("PROXY "):], get)
					if _, got := late.response(); got != proxiedClient+" "+proxiedServer {
						t.Errorf("addresses are %q", got)
					}
				}
				late.Close()
				if err := receive(t, done, "the end of Shutdown"); err != nil {
					t.Error(err)
				}
				c.ended()
			})
		}
	})
}

func TestCloseEndsConnectionsWithoutAHeader(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		s := m.start(t, &recycling.Server{ProxyProtocol: loopback()}, addresses)
		c := s.dial(t)
		c.send("PROXY ")
		s.await(t, "it", func(st recycling.Stats) bool { return st.Open == 1 })
		within(t, 4*time.Second, "Close", func() { s.Close() })
		c.ended()
	})
}

func TestConnectionsOfProxiesServePipelinesAndBodies(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		s := m.start(t, &recycling.Server{ProxyProtocol: loopback()}, func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, r.RemoteAddr, " ", n, " ", err)
		})
		c := s.dial(t)
		body := strings.Repeat("x", 100_000)
		raw := proxyV2
		for range 3 {
			raw += fmt.Sprintf("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s%s", len(body), body, get)
		}
		go io.WriteString(c.Conn, raw)
		c.r = bufio.NewReader(c.Conn)
		for i := range 6 {
			want := proxiedClient + " 100000 <nil>"
			if i%2 == 1 {
				want = proxiedClient + " 0 <nil>"
			}
			if _, got := c.response(); got != want {
				t.Errorf("response is %q, want %q", got, want)
			}
		}
	})
}
