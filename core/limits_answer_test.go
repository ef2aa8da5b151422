package recycling_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about AnswerTimeout, and responses that make no progress.

// A smallListener accepts connections with small send buffers.
type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tc, ok := c.(*net.TCPConn); ok {
		tc.SetWriteBuffer(16 << 10)
	}
	return c, err
}

func stallModes(t *testing.T, f func(t *testing.T, start func(t testing.TB, s *recycling.Server, h http.HandlerFunc) *instance, dial func(s *instance) *client)) {
	for _, m := range workerModes {
		listen := m.listen
		if !m.parks {
			m.listen = func() (net.Listener, error) {
				l, err := listen()
				return smallListener{l}, err
			}
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			f(t, m.start, func(s *instance) *client { return s.dialSmall(t) })
		})
		t.Run(m.name+"-tls", func(t *testing.T) {
			t.Parallel()
			f(t, m.startTLS, func(s *instance) *client { return s.dialSmall(t).shake().client })
		})
		t.Run(m.name+"-hooks", func(t *testing.T) {
			t.Parallel()
			f(t, func(t testing.TB, s *recycling.Server, h http.HandlerFunc) *instance {
				s.HTTP = &http.Server{ConnState: func(net.Conn, http.ConnState) {}}
				return m.start(t, s, h)
			}, func(s *instance) *client { return s.dialSmall(t) })
		})
	}
}

// dialSmall is dial with a small receive buffer.
func (s *instance) dialSmall(t *testing.T) *client {
	t.Helper()
	c := s.dial(t)
	c.Conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	return c
}

func overTLS(t *testing.T) bool { return strings.HasSuffix(t.Name(), "-tls") }

func TestAnswerTimeoutEndsWritingToClientsThatDoNotRead(t *testing.T) {
	parallel(t)
	large := bytes.Repeat([]byte("x"), 16<<20)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	file.Write(large)
	file.Close()
	write := map[string]func(w http.ResponseWriter) error{
		"one write": func(w http.ResponseWriter) error {
			_, err := w.Write(large)
			return err
		},
		"many writes": func(w http.ResponseWriter) (err error) {
			for i := 0; i < len(large) && err == nil; i += 1000 {
				_, err = w.Write(large[:1000])
			}
			return err
		},
		"a file": func(w http.ResponseWriter) error {
			f, err := os.Open(file.Name())
			if err != nil {
				return err
			}
			defer f.Close()
			w.Header().Set("Content-Length", "16777216")
			_, err = io.Copy(w, f)
			return err
		},
	}
	for name, write := range write {
		t.Run(name, func(t *testing.T) {
			stallModes(t, func(t *testing.T, start func(testing.TB, *recycling.Server, http.HandlerFunc) *instance, dial func(s *instance) *client) {
				if overTLS(t) && name != "one write" {
					return // package tls takes seconds to send close_notify to such a client
				}
				done := make(chan error, 1)
				s := start(t, &recycling.Server{Limits: recycling.Limits{AnswerTimeout: briefly}}, func(w http.ResponseWriter, r *http.Request) { done <- write(w) })
				dial(s).send(get)
				if err := receive(t, done, "the write to end"); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Write returned %v", err)
				}
				s.await(t, "the connection to be closed", func(st recycling.Stats) bool { return st.Open == 0 && st.Busy == 0 })
			})
		})
	}
}

func TestAnswerTimeoutLeavesSlowClientsAlone(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("takes seconds of waiting")
	}
	const size = 24 << 20
	large := make([]byte, size)
	stallModes(t, func(t *testing.T, start func(testing.TB, *recycling.Server, http.HandlerFunc) *instance, _ func(s *instance) *client) {
		const limit = time.Second // on a busy machine a client is slower than intended
		s := start(t, &recycling.Server{Limits: recycling.Limits{AnswerTimeout: limit}}, func(w http.ResponseWriter, r *http.Request) { w.Write(large) })
		c := s.dial(t)
		if overTLS(t) {
			c = c.shake().client
		}
		c.send(get)
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for err == nil { // for more than twice limit
			var k int64
			k, err = io.CopyN(io.Discard, res.Body, size/20)
			n += k
			time.Sleep(limit / 8)
		}
		if n != size || err != io.EOF {
			t.Errorf("got %d bytes, %v", n, err)
		}
	})
}

func TestAnswerTimeoutLeavesStreamsAlone(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("takes seconds of waiting")
	}
	stallModes(t, func(t *testing.T, start func(testing.TB, *recycling.Server, http.HandlerFunc) *instance, dial func(s *instance) *client) {
		s := start(t, &recycling.Server{Limits: recycling.Limits{AnswerTimeout: briefly}}, func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				io.WriteString(w, "event\n")
				w.(http.Flusher).Flush()
				select {
				case <-time.After(3 * briefly):
				case <-r.Context().Done():
				}
			}
		})
		c := dial(s)
		if body := c.get("/"); body != "event\nevent\nevent\n" {
			t.Errorf("got %q", body)
		}
		c.get("/")
	})
}

// Deadlines that are earlier end a write when they pass, and later ones do not disable
// AnswerTimeout.
func TestWriteDeadlinesHoldBesideAnswerTimeout(t *testing.T) {
	parallel(t)
	for name, srv := range map[string]*recycling.Server{
		"deadline": {Limits: recycling.Limits{AnswerTimeout: time.Hour}},
		"stall":    {Limits: recycling.Limits{AnswerTimeout: briefly}},
	} {
		t.Run(name, func(t *testing.T) {
			stallModes(t, func(t *testing.T, start func(testing.TB, *recycling.Server, http.HandlerFunc) *instance, dial func(s *instance) *client) {
				if overTLS(t) && name != "stall" {
					return
				}
				done := make(chan error, 1)
				s := start(t, &recycling.Server{Limits: recycling.Limits{AnswerTimeout: srv.AnswerTimeout}}, func(w http.ResponseWriter, r *http.Request) {
					c := http.NewResponseController(w)
					c.SetWriteDeadline(time.Now().Add(time.Hour))
					if name == "deadline" { // while the write waits
						time.AfterFunc(briefly, func() { c.SetWriteDeadline(time.Now().Add(briefly)) })
					} else {
						time.AfterFunc(briefly/2, func() { c.SetWriteDeadline(time.Now().Add(2 * time.Hour)) })
					}
					_, err := w.Write(make([]byte, 16<<20))
					done <- err
				})
				dial(s).send(get)
				if err := receive(t, done, "the write to end"); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Write returned %v", err)
				}
			})
		})
	}
}

// A copyingConn has a ReadFrom that reads ahead, as that of a *net.TCPConn does where the kernel
// cannot copy.
type copyingConn struct{ net.Conn }

func (c copyingConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// readSlowly reads n bytes in each period.
func readSlowly(r io.Reader, n int, period time.Duration) (all []byte, err error) {
	b := make([]byte, n)
	for err == nil {
		var k int
		k, err = io.ReadFull(r, b)
		all = append(all, b[:k]...)
		time.Sleep(period)
	}
	return all, err
}

// TestAnswerTimeoutLeavesSlowClientsAloneThatDoNotPark has a client that takes much longer than
// AnswerTimeout for what is written at once.
func TestAnswerTimeoutLeavesSlowClientsAloneThatDoNotPark(t *testing.T) {
	parallel(t)
	const limit = time.Minute
	content := make([]byte, 3<<20/2)
	for i := range content {
		content[i] = byte(i >> 8)
	}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	embedded := fstest.MapFS{"file": {Data: content}}
	for _, h := range []struct {
		name   string
		copies bool // the connection has a ReadFrom
		serve  http.HandlerFunc
	}{
		{"write", false, func(w http.ResponseWriter, r *http.Request) { w.Write(content) }},
		{"file", false, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }},
		{"file, copied by the connection", true, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }},
		{"embedded file, copied by the connection", true, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, embedded, "file") }},
	} {
		t.Run(h.name, func(t *testing.T) {
			s := &recycling.Server{Strategy: recycling.Recycling, Limits: recycling.Limits{AnswerTimeout: limit}}
			inBubble(t, s, h.serve, func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn) {
				c := dial(func(nc net.Conn) net.Conn {
					if h.copies {
						return copyingConn{nc}
					}
					return nc
				})
				io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
				got, err := readSlowly(c, 2000, limit/2)
				_, body, _ := bytes.Cut(got, []byte("\r\n\r\n"))
				if !bytes.Equal(body, content) {
					t.Errorf("the client got %d bytes, %v, want the %d of the content", len(body), err, len(content))
				}
			})
		})
	}
}

// An endedFile is a regular file that cannot go back.
type endedFile struct {
	io.Reader
	file *os.File
}

func (f endedFile) Stat() (os.FileInfo, error) { return f.file.Stat() }

// TestSlowClientsGetNoGaps copies from a file that has read ahead when a write ends, and cannot go
// back.
func TestSlowClientsGetNoGaps(t *testing.T) {
	parallel(t)
	const limit = time.Minute
	content := make([]byte, 1<<20)
	for i := range content {
		content[i] = byte(i >> 8)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var result error
	s := &recycling.Server{Strategy: recycling.Recycling, Limits: recycling.Limits{AnswerTimeout: limit}}
	h := func(w http.ResponseWriter, r *http.Request) {
		_, result = io.Copy(w, endedFile{bytes.NewReader(content), file})
	}
	inBubble(t, s, h, func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn) {
		c := dial(func(nc net.Conn) net.Conn { return copyingConn{nc} })
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		got, _ := readSlowly(c, 2000, limit/2)
		if _, body, _ := bytes.Cut(got, []byte("\r\n\r\n")); len(body) == 0 || !bytes.HasPrefix(content, body) {
			t.Errorf("what the client got, %d bytes, is not the beginning of the content", len(body))
		}
		if !errors.Is(result, os.ErrDeadlineExceeded) {
			t.Errorf("Copy returned %v", result)
		}
	})
}

// TestAnswerTimeoutOverTLSIsForRecordsWithoutParking has a client that reads a little more than a
// record in each AnswerTimeout, and one that reads less.
func TestAnswerTimeoutOverTLSIsForRecordsWithoutParking(t *testing.T) {
	parallel(t)
	const limit, size = time.Minute, 1 << 20
	server, client := serverKeys(), keyrings().client.Clone()
	client.InsecureSkipVerify = true // in the bubble it is the year 2000
	for _, c := range []struct {
		n  int // bytes in each AnswerTimeout
		ok bool
	}{{17 << 10, true}, {10 << 10, false}, {100, false}} {
		s := &recycling.Server{Strategy: recycling.Recycling, Limits: recycling.Limits{AnswerTimeout: limit}}
		var result chan error
		h := func(w http.ResponseWriter, r *http.Request) {
			_, err := w.Write(make([]byte, size))
			result <- err
		}
		inBubble(t, s, h, func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn) {
			result = make(chan error, 1)
			nc := dial(func(nc net.Conn) net.Conn { return tls.Server(nc, server) })
			io.WriteString(tls.Client(nc, client), get)
			go readSlowly(nc, c.n/20, limit/20)
			err := <-result
			if c.ok != (err == nil) || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d bytes in AnswerTimeout: Write returned %v", c.n, err)
			}
			nc.Close()
			time.Sleep(limit) // until the reader has ended
		})
	}
}
