package recycling_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about responses that make no progress.

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

func TestStallsHaveDefaults(t *testing.T) {
	parallel(t)
	for _, x := range []struct{ set, want time.Duration }{{0, time.Minute}, {-1, -1}, {time.Hour, time.Hour}} {
		t.Run(x.set.String(), func(t *testing.T) {
			s := recyclingOwn.start(t, &recycling.Server{Limits: recycling.Limits{BodyTimeout: x.set, AnswerTimeout: x.set}}, hello)
			s.once(t, "/")
			if l := s.Stats().Limits; l.BodyTimeout != x.want || l.AnswerTimeout != x.want {
				t.Errorf("%+v", l)
			}
		})
	}
}

// During LameDuck, responses say "Connection: close", and nothing else changes.
func TestLameDuckAnswersSayClose(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		s := &recycling.Server{Strategy: m.strategy, HTTP: &http.Server{Handler: http.HandlerFunc(hello)}, LameDuck: time.Hour}
		ctx, end := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, func() error { return s.Serve(l) }) }()
		idle, silent := dialTo(t, l.Addr()), dialTo(t, l.Addr())
		idle.get("/")
		end()
		ready := func() bool {
			c := dialTo(t, l.Addr()) // new connections are served
			c.send(get)
			res, body := c.response()
			if res.StatusCode != http.StatusOK || body != "hello" {
				t.Fatalf("answered with %v", res)
			}
			return res.Close
		}
		eventually(t, "answers to say close", ready)
		for _, c := range []*client{idle, silent} {
			c.send(get)
			if res, _ := c.response(); !res.Close {
				t.Error("the answer does not say close")
			}
			c.ended()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		receive(t, ended, "Until")
	})
}
