package recycling_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

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
				// Net/http logs it after closing.
				for end := time.Now().Add(patience); log.String() == "" && time.Now().Before(end); {
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
				// On other listeners it is not accepted.
				modes = []mode{recyclingNet, recyclingWrapped, goroutineNet}
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
				s := m.startTLS(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1, HTTP: quiet()}, hello)
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
