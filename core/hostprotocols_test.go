package recycling_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// TestUnencryptedHTTP2OfAHost has a client send the preface first, of which nothing may be lost or
// read twice. The http.Server is the host, or one that the Server does not know.
func TestUnencryptedHTTP2OfAHost(t *testing.T) {
	parallel(t)
	for _, foreign := range []bool{false, true} {
		t.Run(fmt.Sprint("foreign=", foreign), func(t *testing.T) {
			forEachHosting(t, func(t *testing.T, h hosting, m mode) {
				if h.secure {
					t.Skip("it is with TLS")
				}
				s := &hosted{Server: &http.Server{Protocols: new(http.Protocols)}, mode: m}
				s.Protocols.SetHTTP1(true)
				s.Protocols.SetUnencryptedHTTP2(true)
				s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					fmt.Fprintf(w, "%s %s", r.Proto, b)
				})
				if foreign {
					own := &http.Server{Handler: s.Handler, Protocols: s.Protocols}
					s.serveOn = serveUnder(s.Server, (&recycling.Server{HTTP: own, Strategy: m.strategy}).Listener)
				} else {
					s.serveOn = h.use(s.Server, m.strategy)
				}
				addr, _ := s.serve(t)
				tr := &http.Transport{Protocols: new(http.Protocols)}
				tr.Protocols.SetUnencryptedHTTP2(true)
				defer tr.CloseIdleConnections()
				body := strings.Repeat("x", 100_000)
				res, err := (&http.Client{Transport: tr, Timeout: patience}).Post("http://"+addr.String(), "text/plain", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if b, err := io.ReadAll(res.Body); string(b) != "HTTP/2.0 "+body || err != nil {
					t.Errorf("the answer has %d bytes and begins with %.20q (%v)", len(b), b, err)
				}
				if got := s.dial(t, addr).get("/"); got != "HTTP/1.1 " {
					t.Errorf("a client of HTTP/1.1 got %q", got)
				}
			})
		})
	}
}

// TestHostWithoutHTTP1 tests that net/http serves everything then.
func TestHostWithoutHTTP1(t *testing.T) {
	parallel(t)
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		if h.name == "Use with HTTP/2" {
			t.Skip("it sets the protocols")
		}
		s := h.start(t, m, func(srv *http.Server) {
			srv.Protocols = new(http.Protocols)
			srv.Protocols.SetHTTP2(true)
			srv.Protocols.SetUnencryptedHTTP2(true)
			if h.secure {
				srv.TLSConfig = serverKeys(speaking("h2"))
			}
		})
		tr, url := &http.Transport{Protocols: new(http.Protocols)}, "http://"
		tr.Protocols.SetUnencryptedHTTP2(true)
		if h.secure {
			tr, url = &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: keyrings().client.Clone()}, "https://"
		}
		defer tr.CloseIdleConnections()
		res, err := (&http.Client{Transport: tr, Timeout: patience}).Get(url + s.addr.String() + "/events")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Errorf("Shutdown returned %v, want %v", err, context.DeadlineExceeded)
		}
		s.returned(t)
		s.events <- false
		if b, err := io.ReadAll(res.Body); string(b) != "event 0\n" || err != nil {
			t.Errorf("read %q (%v)", b, err)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
	})
}

// TestEmptyProtocolsMeanWhatTheyMeanToNetHTTP sets Protocols to an empty set: that means HTTP/1 or
// nothing, depending on the version of Go.
func TestEmptyProtocolsMeanWhatTheyMeanToNetHTTP(t *testing.T) {
	var want string
	forEach(t, []mode{goroutineOwn, recyclingOwn, recyclingNet, recyclingWrapped, poolOwn}, func(t *testing.T, m mode) {
		srv := quiet()
		srv.Protocols = new(http.Protocols)
		s := m.startTLS(t, &recycling.Server{HTTP: srv}, hello)
		config := keyrings().client.Clone()
		config.NextProtos = []string{"http/1.1"}
		raw, err := net.Dial("tcp", s.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(patience))
		c := tls.Client(raw, config)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
		answer, _ := io.ReadAll(c)
		got := fmt.Sprintf("%q %t", c.ConnectionState().NegotiatedProtocol, strings.HasSuffix(string(answer), "hello"))
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("protocol and answer are %s, want %s", got, want)
		}
	})
}
