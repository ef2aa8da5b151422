package recycling_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// A keyring has the TLS configs of a server and of its clients.
type keyring struct{ server, client *tls.Config }

var keyrings = sync.OnceValue(func() keyring {
	cert, err := selfsigned.New("example.com", "127.0.0.1")
	if err != nil {
		panic(err)
	}
	return keyring{
		server: &tls.Config{Certificates: []tls.Certificate{cert}},
		client: &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.com"},
	}
})

// serverKeys returns a TLS config with a certificate, changed by set.
func serverKeys(set ...func(*tls.Config)) *tls.Config {
	config := keyrings().server.Clone()
	for _, f := range set {
		f(config)
	}
	return config
}

// startTLS is start with ServeTLS.
func (m mode) startTLS(t testing.TB, s *recycling.Server, h http.HandlerFunc) *instance {
	t.Helper()
	l, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	s.Strategy = m.strategy
	if s.HTTP == nil {
		s.HTTP = new(http.Server)
	}
	if s.HTTP.TLSConfig == nil {
		s.HTTP.TLSConfig = serverKeys()
	}
	s.HTTP.Handler = h
	t.Cleanup(func() { end(t, s) })
	served := make(chan error, 1)
	go func() {
		served <- s.ServeTLS(l, "", "")
		close(served)
	}()
	return &instance{Server: s, listener: l, addr: l.Addr(), served: served}
}

// A secureClient is a TLS client.
type secureClient struct {
	*client
	tls *tls.Conn
	raw net.Conn // the underlying connection
}

// shake performs a client's handshake on c.
func (c *client) shake(set ...func(*tls.Config)) *secureClient {
	c.t.Helper()
	s := c.unshaken(set...)
	if err := s.tls.Handshake(); err != nil {
		c.t.Fatal("handshake: ", err)
	}
	return s
}

// unshaken is shake without the handshake.
func (c *client) unshaken(set ...func(*tls.Config)) *secureClient {
	config := keyrings().client.Clone()
	for _, f := range set {
		f(config)
	}
	conn := tls.Client(c.Conn, config)
	return &secureClient{&client{Conn: conn, t: c.t, r: bufio.NewReader(conn)}, conn, c.Conn}
}

// briefly is a timeout that tests wait for.
const briefly = 50 * time.Millisecond

func onlyTLS12(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }

func speaking(protocols ...string) func(*tls.Config) {
	return func(c *tls.Config) { c.NextProtos = protocols }
}

// versions are the versions of TLS, as functions that set them for a client.
var versions = map[string]func(*tls.Config){"TLS 1.2": onlyTLS12, "TLS 1.3": func(*tls.Config) {}}

func forEachVersion(t *testing.T, modes []mode, f func(t *testing.T, m mode, version func(*tls.Config))) {
	forEach(t, modes, func(t *testing.T, m mode) {
		for name, version := range versions {
			t.Run(name, func(t *testing.T) { f(t, m, version) })
		}
	})
}

// A filter is a client's connection that passes each write to edit.
type filter struct {
	net.Conn
	edit func(c net.Conn, p []byte) error
}

func (f filter) Write(p []byte) (int, error) {
	if err := f.edit(f.Conn, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// bytewise writes each byte by itself.
func bytewise(c net.Conn, p []byte) error {
	for i := range p {
		if _, err := c.Write(p[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// A request may be split into records in any way.
func TestServeTLSReadsRequestsInAnyRecords(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		s := m.startTLS(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			fmt.Fprint(w, r.URL.Path, len(b), err)
		})
		c := s.dial(t).shake(version)
		const post = "POST /p HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello"
		c.send("%s", strings.Repeat(post, 100)) // 100 requests in a few records
		for range 100 {
			if _, body := c.response(); body != "/p5 <nil>" {
				t.Fatalf("answer %q", body)
			}
		}
		for range 3 {
			if err := bytewise(c.Conn, []byte(post)); err != nil { // one request in 60 records
				t.Fatal(err)
			}
			if _, body := c.response(); body != "/p5 <nil>" {
				t.Fatalf("answer %q", body)
			}
		}
		plain := s.dial(t)
		plain.Conn = filter{plain.Conn, bytewise}
		c = plain.shake(version)
		for range 3 { // one record in pieces of one byte
			c.send("%s", post)
			if _, body := c.response(); body != "/p5 <nil>" {
				t.Fatalf("answer %q", body)
			}
		}
	})
}

func TestServeTLSCarriesLargeBodies(t *testing.T) {
	parallel(t)
	size := int64(scaled(20 << 20)) // more than a thousand records
	forEachVersion(t, []mode{recyclingOwn, recyclingNet, recyclingWrapped}, func(t *testing.T, m mode, version func(*tls.Config)) {
		s := m.startTLS(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				n, err := io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, n, err)
				return
			}
			io.CopyN(w, zeros{}, size)
		})
		c := s.dial(t).shake(version)
		c.SetDeadline(time.Now().Add(5 * patience))
		for range 2 {
			c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", size)
			if _, err := io.CopyN(c.tls, zeros{}, size); err != nil {
				t.Fatal(err)
			}
			if _, body := c.response(); body != fmt.Sprint(size, " <nil>") {
				t.Errorf("answer %q", body)
			}
			c.send(get)
			res, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
				t.Errorf("answer of %d bytes, %v", n, err)
			}
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestServeTLSNegotiatesProtocols(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		s := m.startTLS(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Proto, " ", r.TLS.NegotiatedProtocol)
		})
		for protocol, want := range map[string]string{"": "HTTP/1.1 ", "http/1.1": "HTTP/1.1 http/1.1"} {
			var offer []string
			if protocol != "" {
				offer = []string{"unknown", protocol}
			}
			if body := s.dial(t).shake(version, speaking(offer...)).get("/"); body != want {
				t.Errorf("answer %q, want %q", body, want)
			}
		}
		if err := s.dial(t).unshaken(version, speaking("unknown")).tls.Handshake(); err == nil {
			t.Error("a protocol that is not spoken is negotiated")
		}
		c := s.dial(t).shake(version, speaking("h2", "http/1.1"))
		if p := c.tls.ConnectionState().NegotiatedProtocol; p != "h2" {
			t.Errorf("negotiated %q", p)
		}
	})
}

func TestServeTLSSurvivesPanicsOfOtherProtocols(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		var log journal
		h := &http.Server{ErrorLog: log.logger(), TLSConfig: serverKeys(speaking("other"))}
		h.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
			"other": func(*http.Server, *tls.Conn, http.Handler) { panic("what a protocol") },
		}
		s := m.startTLS(t, &recycling.Server{HTTP: h}, hello)
		s.dial(t).shake(speaking("other")).ended()
		s.dial(t).shake().get("/")
		if got := log.String(); !strings.Contains(got, "http: panic serving") || !strings.Contains(got, "what a protocol") {
			t.Errorf("error log has %.200q", got)
		}
	})
}

func TestServeTLSTellsHandlersWhoTheClientIs(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		config := serverKeys(func(c *tls.Config) {
			c.ClientAuth = tls.RequestClientCert
			c.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error { return nil }
		})
		s := m.startTLS(t, &recycling.Server{HTTP: &http.Server{TLSConfig: config}}, func(w http.ResponseWriter, r *http.Request) {
			st := r.TLS
			fmt.Fprint(w, st.HandshakeComplete, st.ServerName, len(st.PeerCertificates), len(st.VerifiedChains), st.DidResume)
			if key, err := st.ExportKeyingMaterial("label", nil, 16); err != nil || len(key) != 16 {
				t.Error("no key: ", err)
			}
		})
		tickets := tls.NewLRUClientSessionCache(9)
		for i, want := range []string{"trueexample.com0 0 false", "trueexample.com1 0 false", "trueexample.com1 0 true"} {
			c := s.dial(t).shake(version, func(c *tls.Config) {
				if i > 0 {
					c.Certificates = serverKeys().Certificates
					c.ClientSessionCache = tickets
				}
			})
			for range 2 {
				if got := c.get("/"); got != want {
					t.Errorf("handler %d sees %q, want %q", i, got, want)
				}
			}
			if i > 0 && c.tls.ConnectionState().DidResume != (i == 2) {
				t.Error("the client sees it in another way")
			}
		}
	})
}

func TestServeTLSRefusesLargeHeaders(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.startTLS(t, &recycling.Server{HTTP: &http.Server{MaxHeaderBytes: 20_000}}, hello)
		c := s.dial(t).shake()
		c.send("GET / HTTP/1.1\r\nHost: test\r\nX: %s\r\n\r\n", strings.Repeat("x", 15_000))
		if _, body := c.response(); body != "hello" {
			t.Errorf("answer %q", body)
		}
		c.send("GET / HTTP/1.1\r\nHost: test\r\nX: %s\r\n\r\n", strings.Repeat("x", 40_000))
		if res, _ := c.response(); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answer %v", res.Status)
		}
		c.ended()
	})
}

func TestServeTLSAsksForBodies(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.startTLS(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		c := s.dial(t).shake()
		for range 2 {
			c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
			if res, _ := c.response(); res.StatusCode != http.StatusContinue {
				t.Fatalf("answer %v", res.Status)
			}
			c.send("abc")
			if _, body := c.response(); body != "abc" {
				t.Errorf("answer %q", body)
			}
		}
	})
}
