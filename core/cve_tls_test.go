package recycling_test

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about bugs of package crypto/tls that affect a server.

// A recordWriter makes records of TLS 1.3 as a client after its handshake (RFC 8446 section 5.2),
// with the cipher suite TLS_AES_128_GCM_SHA256.
type recordWriter struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func (w *recordWriter) use(secret []byte) {
	block, err := aes.NewCipher(expandLabel(secret, "key", 16))
	if err != nil {
		panic(err)
	}
	if w.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	w.secret, w.iv, w.seq = secret, expandLabel(secret, "iv", 12), 0
}

// expandLabel is HKDF-Expand-Label without a context (RFC 8446 section 7.1).
func expandLabel(secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := string([]byte{byte(n >> 8), byte(n), byte(len(label))}) + label + "\x00"
	b, err := hkdf.Expand(sha256.New, secret, info, n)
	if err != nil {
		panic(err)
	}
	return b
}

const (
	recordHandshake byte = 22
	recordData      byte = 23
)

// append appends a record to b.
func (w *recordWriter) append(b []byte, kind byte, content []byte) []byte {
	nonce := bytes.Clone(w.iv)
	for i, s := range binary.BigEndian.AppendUint64(nil, w.seq) {
		nonce[4+i] ^= s
	}
	w.seq++
	n := len(content) + 1 + w.aead.Overhead()
	head := []byte{recordData, 3, 3, byte(n >> 8), byte(n)}
	inner := append(bytes.Clone(content), kind)
	return w.aead.Seal(append(b, head...), nonce, inner, head)
}

// keyUpdate returns the message that announces a new key (RFC 8446 section 4.6.3).
func keyUpdate(requested bool) []byte {
	if requested {
		return []byte{24, 0, 0, 1, 1}
	}
	return []byte{24, 0, 0, 1, 0}
}

// appendKeyUpdate appends a keyUpdate in a record of its own, and changes to the new key.
func (w *recordWriter) appendKeyUpdate(b []byte, requested bool) []byte {
	b = w.append(b, recordHandshake, keyUpdate(requested))
	w.use(expandLabel(w.secret, "traffic upd", 32))
	return b
}

// dialTLS13 performs a handshake and one request, and returns the underlying connection with a
// writer for the following records. A narrowed connection has small buffers for data that nobody
// reads.
func (s *instance) dialTLS13(t *testing.T, narrowed bool) (*client, *recordWriter) {
	t.Helper()
	c := s.dial(t)
	if narrowed {
		c.Conn.(*net.TCPConn).SetReadBuffer(2048)
	}
	var keys bytes.Buffer
	tc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: &keys, NextProtos: []string{"http/1.1"}})
	c.r.Reset(tc)
	io.WriteString(tc, get) // in one record
	c.response()
	if id := tc.ConnectionState().CipherSuite; id != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("the suite is %s, as this machine likes it", tls.CipherSuiteName(id))
	}
	for line := range strings.Lines(keys.String()) {
		if words := strings.Fields(line); words[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(words[2])
			if err != nil {
				t.Fatal(err)
			}
			w := new(recordWriter)
			w.use(secret)
			w.seq = 1
			return c, w
		}
	}
	t.Fatal("there is no secret in the key log")
	panic("unreachable")
}

var tlsModes = []mode{recyclingNet.overTLS("http/1.1"), poolOwn.overTLS("http/1.1"), {"goroutine-tls", recycling.Goroutine, recyclingNet.overTLS("http/1.1").listen, false}}

// getTLS sends a request on a new connection. On a busy machine ReadHeaderTimeout may pass before
// the client has had its turn, so it tries again.
func (s *instance) getTLS(t *testing.T) {
	t.Helper()
	var err error
	ask := func() bool {
		err = s.tryTLS()
		return err == nil
	}
	if !holds(ask) {
		t.Fatal(err)
	}
}

func (s *instance) tryTLS() error {
	nc, err := net.DialTimeout(s.addr.Network(), s.addr.String(), patience)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	c := tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	if _, err := io.WriteString(c, get); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return err
}

// Each KeyUpdate in a sequence cost the server a key; several of them in one record caused a
// deadlock.
func TestCVE_2026_32283_2026_56862_KeyUpdateFlood(t *testing.T) {
	parallel(t)
	if !fixedIn("go1.26.8") {
		t.Skip("this toolchain has the bug")
	}
	many := scaled(20_000)
	floods := []struct {
		name string
		make func(w *recordWriter, i int) []byte // the i-th part of the flood
	}{
		{"one by one", func(w *recordWriter, i int) []byte { return w.appendKeyUpdate(nil, false) }},
		{"with answers", func(w *recordWriter, i int) []byte { return w.appendKeyUpdate(nil, true) }},
		{"in one record", func(w *recordWriter, i int) []byte {
			return w.append(nil, recordHandshake, bytes.Repeat(keyUpdate(i%2 == 0), 100))
		}},
		{"between the bytes of a header", func(w *recordWriter, i int) (b []byte) {
			if i == 0 {
				b = w.append(b, recordData, []byte("GET / HTTP/1.1\r\nHost: test\r\nX: "))
			} else if i%10 == 0 {
				b = w.append(b, recordData, []byte("x"))
			}
			return w.appendKeyUpdate(b, false)
		}},
		{"with answers, between the bytes of a header", func(w *recordWriter, i int) (b []byte) {
			if i == 0 {
				b = w.append(b, recordData, []byte("GET / HTTP/1.1\r\nHost: test\r\nX: "))
			} else if i%10 == 0 {
				b = w.append(b, recordData, []byte("x"))
			}
			return w.appendKeyUpdate(b, true)
		}},
	}
	for _, f := range floods {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			forEach(t, tlsModes, func(t *testing.T, m mode) {
				s := m.start(t, &recycling.Server{HTTP: &http.Server{ReadHeaderTimeout: time.Second, IdleTimeout: patience, ErrorLog: quiet().ErrorLog}, Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 100}, Standby: 1}, hello)
				c, w := s.dialTLS13(t, false)
				for i := 0; i < many; {
					var b []byte
					for range 100 {
						b = append(b, f.make(w, i)...)
						i++
					}
					if _, err := c.Write(b); err != nil {
						break // the server has closed the connection
					}
				}
				s.getTLS(t) // by the only worker
				c.Close()
				s.await(t, "the connections' end", func(st recycling.Stats) bool { return st.Open == 0 })
			})
		})
	}
}

// A client that requests a response to each KeyUpdate and reads none blocks the server in a write
// while it reads, which no read timeout ends. That must not cost a worker forever.
func TestCVE_2026_56862_KeyUpdatesWithoutReading(t *testing.T) {
	parallel(t)
	forEach(t, tlsModes[:2], func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ReadHeaderTimeout: time.Second, IdleTimeout: patience, ConnContext: narrow, ErrorLog: quiet().ErrorLog}, Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 100}, Standby: 1}, hello)
		c, w := s.dialTLS13(t, true)
		c.SetDeadline(time.Now().Add(patience / 2)) // package tls takes 5 s to send close_notify
		b := w.append(nil, recordData, []byte("GET / HTTP/1.1\r\nHost: test\r\nX: "))
		var err error
		for i := 0; i < 10_000 && err == nil; i++ {
			for range 10 {
				b = w.appendKeyUpdate(b, true)
			}
			_, err = c.Write(w.append(b, recordData, []byte("x")))
			b = nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the server neither reads nor closes the connection")
		}
		s.getTLS(t) // by the only worker, while the client is still there
		c.Close()
	})
}

// The handler does not notice a few KeyUpdates. This also shows that the tests send valid messages.
func TestCVE_2026_32283_FewKeyUpdatesAreServed(t *testing.T) {
	parallel(t)
	forEach(t, tlsModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X")) })
		c, w := s.dialTLS13(t, false)
		b := w.append(nil, recordData, []byte("GET / HTTP/1.1\r\nHost: test\r\nX: "))
		for range 100 {
			b = w.append(w.appendKeyUpdate(b, false), recordData, []byte("x"))
		}
		b = w.append(b, recordData, []byte("\r\n\r\n"))
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, body := c.response(); body != strings.Repeat("x", 100) {
			t.Errorf("answer %q", body)
		}
	})
}

// An error of the handshake contained the client's protocols unescaped, and was logged.
func TestCVE_2025_58189_ProtocolsInTheLog(t *testing.T) {
	parallel(t)
	if !fixedIn("go1.26.0", "go1.25.2") {
		t.Skip("this toolchain has the bug")
	}
	forEach(t, tlsModes, func(t *testing.T, m mode) {
		var log journal
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ErrorLog: log.logger()}}, hello)
		err := tls.Client(s.dial(t).Conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"\x1b[2J\nINJECTED"}}).Handshake()
		if err == nil {
			t.Error("the handshake has succeeded")
		}
		s.await(t, "the connection's end", func(st recycling.Stats) bool { return st.Open == 0 })
		if s := log.String(); !strings.Contains(s, "TLS handshake error") || strings.Contains(s, "\nINJECTED") || controls(s) != "" {
			t.Errorf("error log has %q", s)
		}
	})
}

// A client that does not begin or continue its handshake times out; see also CVE-2026-56853.
func TestCVE_2026_56853_SilentHandshake(t *testing.T) {
	parallel(t)
	var hello bytes.Buffer
	tls.Client(recordingConn{&hello}, &tls.Config{InsecureSkipVerify: true}).Handshake()
	forEach(t, tlsModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ReadHeaderTimeout: shortTime, ErrorLog: quiet().ErrorLog}, Limits: recycling.Limits{MaxWorkers: 10}}, func(w http.ResponseWriter, r *http.Request) {})
		var all []*client
		for _, n := range []int{0, 1, 5, 6, hello.Len() / 2, hello.Len()} {
			c := s.dial(t)
			c.send("%s", hello.Bytes()[:n])
			all = append(all, c)
		}
		for i, c := range all {
			if _, err := io.Copy(io.Discard, c.r); err != nil && strings.Contains(fmt.Sprint(err), "timeout") {
				t.Errorf("silent connection %d was not closed", i)
			}
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}

// A recordingConn is a connection that never receives anything.
type recordingConn struct{ *bytes.Buffer }

func (recordingConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (recordingConn) Close() error                     { return nil }
func (recordingConn) LocalAddr() net.Addr              { return nil }
func (recordingConn) RemoteAddr() net.Addr             { return nil }
func (recordingConn) SetDeadline(time.Time) error      { return nil }
func (recordingConn) SetReadDeadline(time.Time) error  { return nil }
func (recordingConn) SetWriteDeadline(time.Time) error { return nil }
