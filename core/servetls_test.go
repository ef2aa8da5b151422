package recycling_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// inTwoRecords splits the first record, if it is an unencrypted handshake record.
func inTwoRecords(c net.Conn, p []byte) error {
	const handshake, head = 22, 5
	if p[0] == handshake && len(p) > head+10 {
		n := int(p[3])<<8 | int(p[4])
		first, rest := p[head:head+10], p[head+10:head+n]
		b := append([]byte{handshake, p[1], p[2], 0, 10}, first...)
		if _, err := c.Write(b); err != nil {
			return err
		}
		b = append([]byte{handshake, p[1], p[2], byte(len(rest) >> 8), byte(len(rest))}, rest...)
		p = append(b, p[head+n:]...)
	}
	return bytewise(c, p)
}

func TestServeTLSTakesClientHellosInPieces(t *testing.T) {
	parallel(t)
	for name, edit := range map[string]func(net.Conn, []byte) error{"bytes": bytewise, "records": inTwoRecords} {
		t.Run(name, func(t *testing.T) {
			forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
				s := m.startTLS(t, &recycling.Server{}, hello)
				plain := s.dial(t)
				plain.Conn = filter{plain.Conn, edit}
				c := plain.shake(version)
				for range 3 {
					if body := c.get("/"); body != "hello" {
						t.Errorf("answer %q", body)
					}
				}
			})
		})
	}
}

func TestServeTLSAnswersHowHTTPIsSpokenToIt(t *testing.T) {
	parallel(t)
	const answer = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
	for name, sent := range map[string]string{
		"GET":   get,
		"POST":  "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc",
		"large": "GET / HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("x", 3000) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				var log journal
				s := m.startTLS(t, &recycling.Server{HTTP: &http.Server{ErrorLog: log.logger()}}, hello)
				c := s.dial(t)
				c.send("%s", sent)
				got := make([]byte, len(answer))
				if n, err := io.ReadFull(c.r, got); err != nil || string(got) != answer {
					t.Errorf("answer %q, %v", got[:n], err)
				}
				c.ended()
				want := fmt.Sprintf("http: TLS handshake error from %v: client sent an HTTP request to an HTTPS server\n", c.LocalAddr())
				s.await(t, "the connection's end", func(st recycling.Stats) bool { return st.Open == 0 })
				for end := time.Now().Add(patience); log.String() == "" && time.Now().Before(end); { // net/http logs it after closing
					time.Sleep(time.Millisecond)
				}
				if log.String() != want {
					t.Errorf("error log has %q", &log)
				}
			})
		})
	}
}

// stalls send something, and then nothing more.
var stalls = map[string]func(c *client) error{
	"nothing":         func(*client) error { return nil },
	"part of a hello": func(c *client) error { _, err := c.Write([]byte{22, 3, 1, 1, 0, 1, 0}); return err },
	"a whole hello": func(c *client) error {
		var b recording
		tls.Client(&b, keyrings().client.Clone()).Handshake()
		_, err := c.Write(b.sent)
		return err
	},
	"half of one": func(c *client) error {
		var b recording
		tls.Client(&b, keyrings().client.Clone()).Handshake()
		return inTwoRecordsButOne(c.Conn, b.sent)
	},
}

// inTwoRecordsButOne sends only the first of the records of inTwoRecords.
func inTwoRecordsButOne(c net.Conn, p []byte) error {
	_, err := c.Write(append([]byte{22, p[1], p[2], 0, 10}, p[5:15]...))
	return err
}

// A recording is a connection that stores what is written, and has nothing to read.
type recording struct {
	net.Conn
	sent []byte
}

func (r *recording) Write(p []byte) (int, error)    { r.sent = append(r.sent, p...); return len(p), nil }
func (*recording) Read([]byte) (int, error)         { return 0, io.EOF }
func (*recording) Close() error                     { return nil }
func (*recording) SetWriteDeadline(time.Time) error { return nil }

var handshakeTimedOut = regexp.MustCompile(`^http: TLS handshake error from [^ ]+: (read|write) tcp [^ ]+: i/o timeout\n$`)

func TestServeTLSEndsHandshakesThatStall(t *testing.T) {
	parallel(t)
	for name, stall := range stalls {
		t.Run(name, func(t *testing.T) {
			modes := everyMode
			if name == "nothing" {
				modes = []mode{recyclingNet, recyclingWrapped, goroutineNet} // on other listeners it is not accepted
			}
			forEach(t, modes, func(t *testing.T, m mode) {
				var log journal
				states := make(chan http.ConnState, 9)
				h := &http.Server{ReadHeaderTimeout: briefly, ErrorLog: log.logger()}
				h.ConnState = func(_ net.Conn, to http.ConnState) { states <- to }
				s := m.startTLS(t, &recycling.Server{HTTP: h}, hello)
				c := s.dial(t)
				if err := stall(c); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the connection is still open")
				}
				for _, want := range []http.ConnState{http.StateNew, http.StateClosed} {
					if to := receive(t, states, "state"); to != want {
						t.Errorf("state %v, want %v", to, want)
					}
				}
				if !handshakeTimedOut.MatchString(log.String()) {
					t.Errorf("error log has %q", &log)
				}
			})
		})
	}
}

// goroutineNet is plain net/http.
var goroutineNet = mode{"goroutine-net", recycling.Goroutine, listenNet, false}

func TestServeTLSServesWhileHandshakesStall(t *testing.T) {
	parallel(t)
	for name, stall := range stalls {
		t.Run(name, func(t *testing.T) {
			forEach(t, []mode{recyclingOwn, recyclingNet, goroutineOwn}, func(t *testing.T, m mode) {
				if !m.parks && m.strategy != recycling.Goroutine {
					t.Skip("where nothing parks, a handshake has a worker")
				}
				s := m.startTLS(t, &recycling.Server{MaxWorkers: 1, Standby: 1, HTTP: quiet()}, hello)
				for range 50 {
					if err := stall(s.dial(t)); err != nil {
						t.Fatal(err)
					}
				}
				c := s.dial(t).shake()
				if body := c.get("/"); body != "hello" {
					t.Errorf("answer %q", body)
				}
			})
		})
	}
}

func TestServeTLSSurvivesClientsThatLeaveInTheHandshake(t *testing.T) {
	parallel(t)
	for name, stall := range stalls {
		t.Run(name, func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				s := m.startTLS(t, &recycling.Server{HTTP: quiet()}, hello)
				for i := range 50 {
					c := s.dial(t)
					if err := stall(c); err != nil {
						t.Fatal(err)
					}
					if i%2 == 0 {
						c.Conn.(*net.TCPConn).SetLinger(0)
					}
					c.Close()
				}
				if body := s.dial(t).shake().get("/"); body != "hello" {
					t.Errorf("answer %q", body)
				}
				s.await(t, "their end", func(st recycling.Stats) bool { return st.Open <= 1 })
			})
		})
	}
}

func TestServeTLSEndsConnectionsWithGarbage(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		s := m.startTLS(t, &recycling.Server{HTTP: quiet()}, hello)
		for _, raw := range []string{
			"\x17\x03\x03\x00\x10" + strings.Repeat("x", 16), // data with a wrong tag
			"\x17\x03\x03\xff\xff",                           // too long
			"\x17\x03\x03\x00\x00",                           // too short for a tag
			"\x16\x03\x03\x00\x04\x01\x00\x00\x00",           // an unencrypted handshake message
			"\x80\x2e\x01\x00\x02",                           // version 2
			"\x00\x00\x00\x00\x00",
		} {
			c := s.dial(t).shake(version)
			c.get("/")
			io.WriteString(c.raw, raw)
			if _, err := io.Copy(io.Discard, c.raw); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after %q the connection is still open", raw)
			}
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
		for _, raw := range []string{"garbage of some length", "\x16\x03\x01\xff\xff", "\x16\x03\x01\x00\x00", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", "\x15\x03\x01\x00\x02\x01\x00", "\x80\x2e\x01\x00\x02"} {
			c := s.dial(t)
			c.send("%s", raw)
			c.Conn.(*net.TCPConn).CloseWrite()
			if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after %q the connection is still open", raw)
			}
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
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

// A hijacking handler gets a TLS connection, with every byte exactly once.
func TestServeTLSIsHijackedWithAllBytes(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		watched := true
		s := m.startTLS(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			if watched {
				r.Context().Done()
			}
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			if _, ok := c.(*tls.Conn); !ok {
				t.Errorf("it is a %T", c)
			}
			rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			rw.Flush()
			go func() { // until the client closes, after the handler has returned
				defer c.Close()
				io.Copy(c, rw)
			}()
		})
		const upgrade = "GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
		echo := func(c *secureClient, sent string) {
			res, err := http.ReadResponse(c.r, nil)
			if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatal(res, err)
			}
			for range 3 {
				got := make([]byte, len(sent))
				if _, err := io.ReadFull(c.r, got); err != nil || string(got) != sent {
					t.Fatalf("received %.40q, %v", got, err)
				}
				c.send("%s", sent)
			}
			c.tls.CloseWrite()
			if rest, err := io.ReadAll(c.r); string(rest) != sent || err != nil {
				t.Errorf("at the end %.40q, %v", rest, err)
			}
		}
		for _, watched = range []bool{false, true} {
			for _, n := range []int{1, 100, 5000, 70_000} {
				sent := strings.Repeat("0123456789", n/10+1)
				c := s.dial(t).shake(version)
				c.send("%s", upgrade+sent) // in as few records as possible
				echo(c, sent)

				c = s.dial(t).shake(version)
				c.send("%s", upgrade)
				c.send("%s", sent)
				echo(c, sent)
			}
		}
		s.await(t, "the end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}

// leavings are the ways in which a client disconnects.
var leavings = map[string]func(c *secureClient){
	"alert": func(c *secureClient) { c.tls.CloseWrite() },
	"end":   func(c *secureClient) { c.raw.(*net.TCPConn).CloseWrite() },
	"close": func(c *secureClient) { c.tls.Close() },
	"reset": func(c *secureClient) { c.raw.(*net.TCPConn).SetLinger(0); c.raw.Close() },
	"error": func(c *secureClient) { io.WriteString(c.raw, "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32)) },
}

func TestServeTLSTellsHandlersThatTheClientIsGone(t *testing.T) {
	parallel(t)
	for name, leave := range leavings {
		t.Run(name, func(t *testing.T) {
			forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
				for hooks, h := range map[string]*http.Server{"": quiet(), " with hooks": {ErrorLog: quiet().ErrorLog, ConnState: func(net.Conn, http.ConnState) {}}} {
					t.Run("context"+hooks, func(t *testing.T) {
						entered, over := make(chan bool, 1), make(chan error, 1)
						s := m.startTLS(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) {
							io.Copy(io.Discard, r.Body)
							ctx, cancel := context.WithTimeout(r.Context(), patience)
							defer cancel()
							if r.URL.Path == "/early" {
								ctx.Done()
							}
							entered <- true
							<-ctx.Done()
							over <- context.Cause(ctx)
						})
						for _, path := range []string{"/early", "/late"} {
							c := s.dial(t).shake(version)
							c.send("POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc", path)
							receive(t, entered, "the handler")
							leave(c)
							if err := receive(t, over, "the end of the context"); err != context.Canceled {
								t.Errorf("the context has ended with %v", err)
							}
							c.raw.Close()
						}
					})
				}
			})
		})
	}
}

// Goroutines of a handler may use its context at any time, while the connection continues with
// other requests.
func TestServeTLSGoesOnWhateverHandlersLeaveBehind(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, recyclingNet}, func(t *testing.T, m mode) {
		var left sync.WaitGroup
		s := m.startTLS(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				left.Go(func() { <-r.Context().Done() })
			}
			io.WriteString(w, "hello")
		})
		var clients sync.WaitGroup
		for range 8 {
			c := s.dial(t).shake()
			clients.Go(func() {
				for range scaled(1000) {
					c.SetDeadline(time.Now().Add(patience))
					io.WriteString(c, get)
					res, err := http.ReadResponse(c.r, nil)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
				}
			})
		}
		clients.Wait()
		left.Wait()
	})
}

func TestServeTLSEndsConnectionsWhoseCallbackPanics(t *testing.T) {
	parallel(t)
	callbacks := map[string]func(*tls.Config, func()){
		"GetCertificate": func(c *tls.Config, f func()) {
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { f(); return nil, nil }
			c.Certificates = nil
		},
		"GetConfigForClient": func(c *tls.Config, f func()) {
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { f(); return nil, nil }
		},
		"VerifyConnection": func(c *tls.Config, f func()) {
			c.VerifyConnection = func(tls.ConnectionState) error { f(); return nil }
		},
	}
	for name, set := range callbacks {
		t.Run(name, func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				var log journal
				var how atomic.Int32
				config := serverKeys()
				set(config, func() {
					switch how.Load() {
					case 0:
						panic("what a " + name)
					case 1:
						panic(http.ErrAbortHandler)
					}
				})
				config.Certificates = serverKeys().Certificates
				s := m.startTLS(t, &recycling.Server{HTTP: &http.Server{TLSConfig: config, ErrorLog: log.logger()}}, hello)
				for i := range int32(2) {
					how.Store(i)
					c := s.dial(t)
					c.unshaken().tls.Handshake()
					if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error("the connection is still open")
					}
				}
				s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
				if got := log.String(); strings.Count(got, "http: panic serving") != 1 || !strings.Contains(got, "what a "+name) {
					t.Errorf("error log has %.200q", got)
				}
				how.Store(2)
				if name != "GetCertificate" {
					s.dial(t).shake().get("/")
				}
			})
		})
	}
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

func TestServeTLSLogsHandshakesThatFail(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		var log journal
		config := serverKeys(func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
		s := m.startTLS(t, &recycling.Server{HTTP: &http.Server{TLSConfig: config, ErrorLog: log.logger()}}, hello)
		c := s.dial(t).unshaken(onlyTLS12)
		if err := c.tls.Handshake(); err == nil {
			t.Error("the handshake has succeeded")
		}
		io.Copy(io.Discard, c.raw)
		if want := fmt.Sprintf("http: TLS handshake error from %v: tls: client didn't provide a certificate\n", c.raw.LocalAddr()); log.String() != want {
			t.Errorf("error log has %q, want %q", &log, want)
		}
	})
}

func TestServeTLSKeepsTimeouts(t *testing.T) {
	parallel(t)
	send := func(s string) func(*secureClient) { return func(c *secureClient) { io.WriteString(c, s) } }
	unsent := send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n")
	for name, test := range map[string]struct {
		srv   *http.Server
		begin func(*secureClient)
	}{
		"ReadTimeout, body":         {&http.Server{ReadTimeout: briefly}, unsent},
		"ReadTimeout, header":       {&http.Server{ReadTimeout: briefly}, send("GET / HT")},
		"ReadTimeout, idle":         {&http.Server{ReadTimeout: briefly}, send(get)},
		"ReadHeaderTimeout":         {&http.Server{ReadHeaderTimeout: briefly}, send("GET / HT")},
		"ReadHeaderTimeout, silent": {&http.Server{ReadHeaderTimeout: briefly}, func(c *secureClient) {}},
		"ReadHeaderTimeout, second": {&http.Server{ReadHeaderTimeout: briefly, IdleTimeout: time.Hour}, send(get + "GET / HT")},
		"IdleTimeout":               {&http.Server{IdleTimeout: briefly}, send(get)},
		"IdleTimeout, part of a record": {&http.Server{IdleTimeout: briefly}, func(c *secureClient) {
			send(get)(c)
			http.ReadResponse(c.r, nil)
			io.WriteString(c.raw, "\x17\x03\x03\x40\x00")
		}},
		"WriteTimeout": {&http.Server{WriteTimeout: 4 * briefly}, send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				over := make(chan error, 9)
				srv := &http.Server{ReadTimeout: test.srv.ReadTimeout, ReadHeaderTimeout: test.srv.ReadHeaderTimeout, IdleTimeout: test.srv.IdleTimeout, WriteTimeout: test.srv.WriteTimeout}
				s := m.startTLS(t, &recycling.Server{HTTP: srv}, func(w http.ResponseWriter, r *http.Request) {
					_, err := io.Copy(io.Discard, r.Body)
					for err == nil && r.URL.Path == "/large" {
						_, err = w.Write(make([]byte, 1<<20))
					}
					over <- err
				})
				c := s.dial(t).unshaken()
				if c.tls.Handshake() == nil {
					test.begin(c)
				}
				s.await(t, "the end of the connection", func(st recycling.Stats) bool { return st.Accepted == 1 && st.Open == 0 })
				select {
				case err := <-over:
					if want := name == "WriteTimeout" || name == "ReadTimeout, body"; (err != nil) != want || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("the handler is told %v", err)
					}
				default:
				}
			})
		})
	}
}

func TestServeTLSShutsDownInEachPhase(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("takes seconds of waiting")
	}
	version := func(*tls.Config) {}
	forEach(t, []mode{recyclingOwn, recyclingWrapped, goroutineOwn}, func(t *testing.T, m mode) { // each takes seconds
		g := newGate(t)
		s := m.startTLS(t, &recycling.Server{HTTP: &http.Server{ErrorLog: quiet().ErrorLog, ReadHeaderTimeout: 4 * time.Second}}, g.serve)
		idle := s.dial(t).shake(version)
		idle.get("/")
		silent := s.dial(t).shake(version)
		busy := s.dial(t).shake(version)
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		shaking := s.dial(t)
		stalls["a whole hello"](shaking)
		greeting := s.dial(t)
		stalls["part of a hello"](greeting)
		late := s.dial(t)
		finish := make(chan bool)
		late.Conn = filter{late.Conn, sync.OnceValue(func() func(net.Conn, []byte) error {
			return func(c net.Conn, p []byte) error {
				if _, err := c.Write(p[:1]); err != nil {
					return err
				}
				<-finish
				_, err := c.Write(p[1:])
				return err
			}
		})()}
		lateAnswer := make(chan string, 1)
		go func() {
			c := late.unshaken(version)
			io.WriteString(c, get)
			res, err := http.ReadResponse(c.r, nil)
			if err != nil {
				lateAnswer <- err.Error()
				return
			}
			lateAnswer <- fmt.Sprint(res.StatusCode, res.Close)
		}()
		s.await(t, "all of them", func(st recycling.Stats) bool { return st.Accepted == 6 })

		done := s.shutdown(context.Background())
		s.ended(t, http.ErrServerClosed)
		idle.ended()
		close(finish)
		if m.strategy != recycling.Goroutine { // net/http drops it
			if got := receive(t, lateAnswer, "the answer"); got != "200 true" {
				t.Errorf("the late client is answered %q", got)
			}
		}
		select {
		case err := <-done:
			t.Fatalf("Shutdown returned %v before the request was answered", err)
		default:
		}
		g.open()
		if res, body := busy.response(); !res.Close || body != "answer" {
			t.Errorf("answer %q", body)
		}
		busy.ended()
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		for _, c := range []net.Conn{silent.raw, shaking.Conn, greeting.Conn} {
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("a connection is still open")
			}
		}
	})
}

func TestServeTLSIsClosedInEachPhase(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		entered := make(chan error, 9)
		s := m.startTLS(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/":
				return
			case "/context":
				entered <- nil
				<-r.Context().Done()
			case "/body":
				entered <- nil
				io.Copy(io.Discard, r.Body)
			case "/answer":
				entered <- nil
				for {
					if _, err := w.Write(make([]byte, 1<<20)); err != nil {
						break
					}
				}
			}
			entered <- nil
		})
		var all []net.Conn
		for _, path := range []string{"", "/", "/context", "/body", "/answer"} {
			c := s.dial(t).shake(version)
			all = append(all, c.raw)
			switch path {
			case "":
				continue
			case "/":
				c.get("/")
				continue
			}
			length := 0
			if path == "/body" {
				length = 1
			}
			c.send("POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", path, length)
			receive(t, entered, "the handler")
		}
		for _, stall := range []string{"part of a hello", "half of one", "a whole hello"} {
			c := s.dial(t)
			stalls[stall](c)
			all = append(all, c.Conn)
		}
		s.await(t, "all of them", func(st recycling.Stats) bool { return st.Accepted == 8 })
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		s.ended(t, http.ErrServerClosed)
		for range 3 {
			receive(t, entered, "the end of the handler")
		}
		for _, c := range all {
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("a connection is still open")
			}
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}

func TestServeTLSWithoutKeepAlives(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.startTLS(t, &recycling.Server{}, hello)
		idle, next := s.dial(t).shake(), s.dial(t).shake()
		idle.get("/")
		next.get("/")
		s.SetKeepAlivesEnabled(false)
		idle.ended()
		c := s.dial(t).shake()
		c.send(get)
		if res, _ := c.response(); !res.Close {
			t.Error("the answer does not say that it is the last")
		}
		c.ended()
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

func TestServeTLSCallsHooksInOrder(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		type event struct {
			c  net.Conn
			to http.ConnState
		}
		events := make(chan event, 99)
		type key struct{}
		h := &http.Server{
			ErrorLog:    quiet().ErrorLog,
			ConnState:   func(c net.Conn, to http.ConnState) { events <- event{c, to} },
			ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) },
		}
		s := m.startTLS(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) {
			tc := r.Context().Value(key{}).(*tls.Conn)
			fmt.Fprint(w, tc.ConnectionState().HandshakeComplete, tc.RemoteAddr().String() == r.RemoteAddr, tc.LocalAddr())
			if r.URL.Path == "/hijack" {
				if c, _, err := http.NewResponseController(w).Hijack(); c != tc || err != nil {
					t.Errorf("hijacked %v, %v", c, err)
				}
				tc.Close()
			}
		})
		want := func(all ...http.ConnState) {
			t.Helper()
			var first net.Conn
			for _, to := range all {
				e := receive(t, events, to.String())
				if first == nil {
					first = e.c
				}
				if _, ok := e.c.(*tls.Conn); !ok || e.c != first || e.to != to {
					t.Errorf("state %v of a %T, want %v", e.to, e.c, to)
				}
			}
		}
		c := s.dial(t).shake(version)
		for range 2 {
			if got := c.get("/"); got != fmt.Sprint(true, true, s.addr) {
				t.Errorf("answer %q", got)
			}
		}
		c.Close()
		want(http.StateNew, http.StateActive, http.StateIdle, http.StateActive, http.StateIdle, http.StateClosed)
		c = s.dial(t).shake(version)
		c.send("GET /hijack HTTP/1.1\r\nHost: test\r\n\r\n")
		io.Copy(io.Discard, c.r)
		want(http.StateNew, http.StateActive, http.StateHijacked)
		c = s.dial(t).shake(version)
		c.Close()
		want(http.StateNew, http.StateClosed)
		plain := s.dial(t)
		plain.send("garbage")
		io.Copy(io.Discard, plain.r)
		want(http.StateNew, http.StateClosed)
	})
}

// Hooks may close the connections that they get, as with net/http.
func TestServeTLSLosesConnectionsThatHooksClose(t *testing.T) {
	parallel(t)
	for _, at := range []http.ConnState{http.StateNew, http.StateActive, http.StateIdle} {
		for _, below := range []bool{false, true} {
			t.Run(fmt.Sprint(at, ", below: ", below), func(t *testing.T) {
				forEach(t, everyMode, func(t *testing.T, m mode) {
					h := &http.Server{ErrorLog: quiet().ErrorLog, ConnState: func(c net.Conn, to http.ConnState) {
						if to == at && below {
							c.(*tls.Conn).NetConn().Close()
						} else if to == at {
							c.Close()
						}
					}}
					s := m.startTLS(t, &recycling.Server{HTTP: h}, hello)
					for range 5 {
						c := s.dial(t).unshaken()
						io.WriteString(c, get)
						if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
							t.Error("the connection is still open")
						}
					}
					s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
				})
			})
		}
	}
}

// Another goroutine closes a connection that a hook got earlier and that is now idle.
func TestServeTLSLosesIdleConnectionsThatAreClosed(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		idle := make(chan net.Conn, 9)
		h := &http.Server{ConnState: func(c net.Conn, to http.ConnState) {
			if to == http.StateIdle {
				idle <- c
			}
		}}
		s := m.startTLS(t, &recycling.Server{HTTP: h}, hello)
		for range 5 {
			c := s.dial(t).shake()
			c.get("/")
			receive(t, idle, "the connection").Close()
			c.ended()
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}

// A hook may perform the handshake at once, to see who the client is.
func TestServeTLSGoesOnAfterHandshakesOfHooks(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		h := &http.Server{ErrorLog: quiet().ErrorLog, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if err := c.(*tls.Conn).Handshake(); err != nil {
				t.Error(err)
			}
			return ctx
		}}
		s := m.startTLS(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS != nil) })
		c := s.dial(t).shake(version)
		for range 2 {
			if body := c.get("/"); body != "true" {
				t.Errorf("answer %q", body)
			}
		}
	})
}

// TestServeTLSUnderStress does everything at once, on connections that end in all ways.
func TestServeTLSUnderStress(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.startTLS(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/hijack":
				r.Context().Done()
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer c.Close()
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
			case "/context":
				<-r.Context().Done()
			case "/goroutine":
				go func() { <-r.Context().Done() }()
				io.WriteString(w, "hello")
			case "/panic":
				r.Context().Done()
				panic(http.ErrAbortHandler)
			default:
				r.Context().Done()
				io.WriteString(w, "hello")
			}
		})
		paths := []string{"/", "/hijack", "/context", "/goroutine", "/panic", "/", "/goroutine"}
		ways := slices.Collect(maps.Values(leavings))
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				for k := range scaled(60) {
					c := s.dial(t).unshaken()
					if c.tls.Handshake() != nil {
						c.raw.Close()
						continue
					}
					for n := range k % 7 {
						path := paths[(i+k+n)%len(paths)]
						fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
						if path == "/context" {
							break
						}
						res, err := http.ReadResponse(c.r, nil)
						if errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("no answer to %s", path)
						}
						if err != nil || res.Close {
							break
						}
						io.Copy(io.Discard, res.Body)
					}
					ways[(i+k)%len(ways)](c)
					c.raw.Close()
				}
			})
		}
		clients.Wait()
		s.await(t, "the end of all connections", func(st recycling.Stats) bool { return st.Open == 0 })
		s.dial(t).shake().get("/")
	})
}

// startUnderTLS serves h by an http.Server of which only the listener uses this package.
func (m mode) startUnderTLS(t *testing.T, h http.HandlerFunc) (s *instance, srv *http.Server) {
	t.Helper()
	l, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	srv = &http.Server{Handler: h, TLSConfig: serverKeys(speaking("h2", "http/1.1")), ErrorLog: quiet().ErrorLog}
	server := &recycling.Server{HTTP: srv, Strategy: m.strategy}
	l, err = server.TLSListener(l)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l); close(served) }()
	t.Cleanup(func() {
		srv.Close()
		server.Close()
		leavesNothing(t)
	})
	return &instance{Server: server, listener: l, addr: l.Addr(), served: served}, srv
}

func http2Client(t *testing.T) *http.Client {
	transport := &http.Transport{TLSClientConfig: keyrings().client.Clone(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func TestTLSListenerServesBothProtocols(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		g := newGate(t)
		s, srv := m.startUnderTLS(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				g.serve(w, r)
				return
			}
			fmt.Fprint(w, r.Proto, " ", recycling.FromContext(r.Context()) != nil, " ", r.TLS.NegotiatedProtocol)
		})
		h2 := http2Client(t)
		url := "https://" + s.addr.String()
		for range 2 {
			if got := fetch(t, h2, url); got != "HTTP/2.0 true h2" {
				t.Errorf("answer %q", got)
			}
		}
		one := s.dial(t).shake()
		for range 2 {
			if got := one.get("/"); got != "HTTP/1.1 true " {
				t.Errorf("answer %q", got)
			}
		}

		// Shutdown waits for both.
		one.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		answer := make(chan string, 1)
		go func() { answer <- fetch(t, h2, url+"/wait") }()
		receive(t, g.entered, "the handler")
		done := make(chan error, 1)
		go func() { done <- srv.Shutdown(context.Background()) }()
		for { // until the port is closed
			c, err := net.Dial("tcp", s.addr.String())
			if err != nil {
				break
			}
			c.Close()
		}
		select {
		case err := <-done:
			t.Errorf("Shutdown returned %v with requests in flight", err)
		default:
		}
		g.open()
		if res, body := one.response(); body != "answer" || !res.Close {
			t.Errorf("answer %q", body)
		}
		if got := receive(t, answer, "the answer"); got != "answer" {
			t.Errorf("answer %q", got)
		}
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := receive(t, s.served, "Serve"); err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestTLSListenerIsClosedWithBothProtocols(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		entered, over := make(chan bool, 9), make(chan bool, 9)
		s, srv := m.startUnderTLS(t, func(w http.ResponseWriter, r *http.Request) {
			entered <- true
			<-r.Context().Done()
			over <- true
		})
		one := s.dial(t).shake()
		one.send(get)
		receive(t, entered, "the handler")
		failed := make(chan error, 1)
		h2 := http2Client(t)
		go func() {
			_, err := h2.Get("https://" + s.addr.String())
			failed <- err
		}()
		receive(t, entered, "the handler")
		if err := srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := receive(t, s.served, "Serve"); err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
		for range 2 {
			receive(t, over, "the end of the handler")
		}
		if err := receive(t, failed, "the client's error"); err == nil {
			t.Error("there is an answer")
		}
		one.ended()
	})
}

// fetch returns the body of the response to a GET request.
func fetch(t testing.TB, c *http.Client, url string) string {
	res, err := c.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestServeTLSKeepsLittleOfIdleConnections(t *testing.T) {
	if !recycling.Parks {
		t.Skip("connections do not park")
	}
	const conns = 100
	measure := func(t *testing.T, s *instance) int {
		var all []net.Conn
		defer func() {
			for _, c := range all {
				c.Close()
			}
		}()
		ask := func() { // leaves the plain connection open; its tls.Conn becomes garbage
			plain, err := net.Dial("tcp", s.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, plain)
			c := tls.Client(plain, keyrings().client)
			io.WriteString(c, get)
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		ask()
		before := inUse()
		for range conns {
			ask()
		}
		return (inUse() - before) / conns
	}
	var nets int
	t.Run("net/http", func(t *testing.T) { nets = measure(t, goroutineOwn.startTLS(t, &recycling.Server{}, hello)) })
	for name, start := range map[string]func(t *testing.T) *instance{
		"ServeTLS": func(t *testing.T) *instance { return recyclingNet.startTLS(t, &recycling.Server{}, hello) },
		"Use with ServeTLS": func(t *testing.T) *instance {
			return startUse(t, func(srv *http.Server, l net.Listener) error { return srv.ServeTLS(l, "", "") })
		},
		"Use with a listener of package tls": func(t *testing.T) *instance {
			return startUse(t, func(srv *http.Server, l net.Listener) error { return srv.Serve(tls.NewListener(l, srv.TLSConfig)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			if ours := measure(t, s); ours > nets/3 {
				t.Errorf("%d bytes for each connection, want no more than a third of net/http's %d", ours, nets)
			}
			s.await(t, "the end of the connections", func(st recycling.Stats) bool { return st.Open == 0 })
		})
	}
}

// startUse starts an http.Server with TLS that is served by Use.
func startUse(t *testing.T, serve func(srv *http.Server, l net.Listener) error) *instance {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{TLSConfig: serverKeys(), Handler: http.HandlerFunc(hello), ErrorLog: quiet().ErrorLog}
	s := &instance{listener: l, addr: l.Addr()}
	recycling.Use(srv, func(server *recycling.Server) { s.Server = server })
	served := make(chan error, 1)
	go func() { served <- serve(srv, l) }()
	t.Cleanup(func() {
		srv.Close()
		receive(t, served, "the end of Serve")
	})
	return s
}

// TestListenersOfPackageTLSPark tests that package tls is as unwrapTLS expects.
func TestListenersOfPackageTLSPark(t *testing.T) {
	if !recycling.Parks {
		t.Skip("connections do not park")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &recycling.Server{HTTP: &http.Server{Handler: http.HandlerFunc(hello)}}
	defer s.Close()
	go s.Serve(tls.NewListener(l, serverKeys()))
	c, err := tls.Dial("tcp", l.Addr().String(), keyrings().client.Clone())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, get)
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	(&instance{Server: s}).await(t, "a parked connection", func(st recycling.Stats) bool { return st.Parked == 1 })
}

// TestTicketKeysOfAListenerOfPackageTLSMayChange changes the session ticket keys of the config that
// the listener was made with.
func TestTicketKeysOfAListenerOfPackageTLSMayChange(t *testing.T) {
	for _, get := range []bool{false, true} {
		t.Run(fmt.Sprint("GetCertificate=", get), func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				config := serverKeys(speaking("http/1.1"))
				if get {
					cert := config.Certificates[0]
					config.Certificates = nil
					config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }
				}
				l, err := m.listen()
				if err != nil {
					t.Fatal(err)
				}
				srv := quiet()
				srv.Handler = http.HandlerFunc(hello)
				recycling.Use(srv, func(o *recycling.Server) { o.Strategy = m.strategy })
				served := make(chan error, 1)
				go func() { served <- srv.Serve(tls.NewListener(l, config)) }()
				client := keyrings().client.Clone()
				client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
				resumed := func() bool {
					c, err := tls.Dial("tcp", l.Addr().String(), client)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					c.SetDeadline(time.Now().Add(patience))
					io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
					io.ReadAll(c)
					return c.ConnectionState().DidResume
				}
				resumed()
				if !resumed() {
					t.Error("a session was not resumed, with the server's own keys")
				}
				config.SetSessionTicketKeys([][32]byte{{1}})
				resumed()
				if !resumed() {
					t.Error("a session was not resumed, with keys of the application")
				}
				config.SetSessionTicketKeys([][32]byte{{2}})
				if resumed() {
					t.Error("a session was resumed, and its key is no more")
				}
				srv.Close()
				receive(t, served, "the end of Serve")
			})
		})
	}
}
