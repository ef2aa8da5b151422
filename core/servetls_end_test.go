package recycling_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

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
	// Each mode takes seconds.
	forEach(t, []mode{recyclingOwn, recyclingWrapped, goroutineOwn}, func(t *testing.T, m mode) {
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
