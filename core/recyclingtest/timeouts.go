package recyclingtest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

var timeouts = []behaviour{
	silentConnectionIsClosed,
	slowHeaderIsClosed,
	slowHeaderOfALaterRequestIsClosed,
	readHeaderTimeoutSparesTheBody,
	readTimeoutEndsABodyRead,
	readTimeoutSparesTheHandler,
	writeTimeoutEndsAWrite,
	writeTimeoutDropsALateResponse,
	writeTimeoutIsForEachRequest,
	idleConnectionIsClosed,
	idleTimeoutIsReadTimeoutByDefault,
	negativeIdleTimeoutIsNone,
	idleTimeoutSparesTheHandler,
	timeoutClosesNothingElse,
	readTimeoutIsForTheWholeRequest,
	readHeaderTimeoutSparesIdleConnections,
	negativeReadHeaderTimeoutIsNone,
	negativeTimeoutsAreNone,
}

// On a busy machine, a short timeout may well expire before a request is read. It is used directly
// only where the test does nothing but wait for it to expire.
const short = 50 * time.Millisecond

func silentConnectionIsClosed(t *test) {
	for name, srv := range map[string]*http.Server{
		"ReadHeaderTimeout": {ReadHeaderTimeout: short},
		"ReadTimeout":       {ReadTimeout: short},
		"both":              {ReadHeaderTimeout: short, ReadTimeout: time.Hour},
	} {
		t.each(name, func(t *test) {
			t.Parallel()
			srv.Handler = http.HandlerFunc(echoTarget)
			s := t.start(srv)
			s.dial(t).ends()
			s.log.isEmpty(t)
		})
	}
}

// drip sends an endless header, a byte at a time, until the connection fails.
func (c *wire) drip() {
	go func() {
		next := "GET / HTTP/1.1\r\nHost: a\r\nX-Drip: "
		for {
			if _, err := io.WriteString(c, next[:1]); err != nil {
				return
			}
			if next = next[1:]; next == "" {
				next = "x"
			}
			time.Sleep(2 * time.Millisecond)
		}
	}()
}

// endsOrRefuses is ends, but allows a 400 response: when the time is up, net/http may take the part
// of a line that it has read for the whole line.
func (c *wire) endsOrRefuses() {
	c.t.Helper()
	if s := c.rest(); s != "" && !strings.HasPrefix(s, "HTTP/1.1 400 ") {
		c.t.Fatalf("received %.200q, want the end of the connection", s)
	}
}

func slowHeaderIsClosed(t *test) {
	for name, srv := range map[string]*http.Server{
		"ReadHeaderTimeout": {ReadHeaderTimeout: short},
		"ReadTimeout":       {ReadTimeout: short},
	} {
		t.each(name, func(t *test) {
			t.Parallel()
			srv.Handler = http.HandlerFunc(echoTarget)
			s := t.start(srv)
			c := s.dial(t)
			c.drip()
			c.endsOrRefuses()
			s.log.isEmpty(t)
		})
	}
}

func slowHeaderOfALaterRequestIsClosed(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		c := t.start(&http.Server{ReadHeaderTimeout: d, Handler: http.HandlerFunc(echoTarget)}).dial(t)
		c.goesOn()
		c.drip()
		c.endsOrRefuses()
	})
}

func readHeaderTimeoutSparesTheBody(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		entered := make(chan bool, 1)
		c := t.start(&http.Server{
			ReadHeaderTimeout: d,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				entered <- true
				echoBody(w, r)
			}),
		}).dial(t)
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
		receive(t, entered, "request")
		time.Sleep(2 * d)
		c.send("bc")
		c.wants(200, "/ abc <nil>")
	})
}

func readTimeoutEndsABodyRead(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		result := make(chan error, 1)
		c := t.start(&http.Server{
			ReadTimeout: d,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				result <- err
				io.WriteString(w, "too slow")
			}),
		}).dial(t)
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
		if a := c.answer("POST"); a.text != "too slow" || !a.Close {
			t.Errorf("response is %q, Connection: close %v", a.text, a.Close)
		}
		if err := receive(t, result, "result of reading the body"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading the body: %v, want ErrDeadlineExceeded", err)
		}
		c.ends()
	})
}

func readTimeoutSparesTheHandler(t *test) {
	for name, raw := range requestsAtRest {
		t.each(name, func(t *test) {
			t.Parallel()
			t.escalate(func(t *test, d time.Duration) {
				c := t.start(&http.Server{
					ReadTimeout: d,
					Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						io.Copy(io.Discard, r.Body)
						select {
						case <-r.Context().Done():
							io.WriteString(w, "context ended")
						case <-time.After(2 * d):
							io.WriteString(w, "in time")
						}
					}),
				}).dial(t)
				c.send(raw)
				c.wants(200, "in time")
			})
		})
	}
}

func writeTimeoutEndsAWrite(t *test) {
	result := make(chan error, 2)
	s := t.start(&http.Server{
		WriteTimeout: short,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			result <- writeUntilItFails(w)
			result <- r.Context().Err()
		}),
	})
	s.dial(t).send(get("/"))
	if err := receive(t, result, "failing write"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write: %v, want ErrDeadlineExceeded", err)
	}
	if err := receive(t, result, "context's error"); err == nil {
		t.Errorf("context has not ended with the failing write")
	}
	s.log.isEmpty(t)
}

func writeTimeoutDropsALateResponse(t *test) {
	c := t.start(&http.Server{
		WriteTimeout: short,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(4 * short)
			io.WriteString(w, "too late")
		}),
	}).dial(t)
	c.send(get("/"))
	c.ends()
}

func writeTimeoutIsForEachRequest(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		c := t.start(&http.Server{WriteTimeout: d, Handler: http.HandlerFunc(echoTarget)}).dial(t)
		for range 3 {
			c.goesOn()
			time.Sleep(d)
		}
		c.goesOn()
	})
}

func idleConnectionIsClosed(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		s := t.start(&http.Server{IdleTimeout: d, ReadTimeout: time.Hour, Handler: http.HandlerFunc(echoTarget)})
		c := s.dial(t)
		c.goesOn()
		c.goesOn()
		c.ends()
		s.log.isEmpty(t)
	})
}

func idleTimeoutIsReadTimeoutByDefault(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		c := t.start(&http.Server{ReadTimeout: d, Handler: http.HandlerFunc(echoTarget)}).dial(t)
		c.goesOn()
		c.ends()
	})
}

func negativeIdleTimeoutIsNone(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		c := t.start(&http.Server{IdleTimeout: -1, ReadTimeout: d, Handler: http.HandlerFunc(echoTarget)}).dial(t)
		c.goesOn()
		time.Sleep(2 * d)
		c.goesOn()
	})
}

func idleTimeoutSparesTheHandler(t *test) {
	c := t.start(&http.Server{
		IdleTimeout: short,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(4 * short)
			if err := r.Context().Err(); err != nil {
				io.WriteString(w, err.Error())
			}
		}),
	}).dial(t)
	c.send(get("/"))
	c.wants(200, "")
}

func timeoutClosesNothingElse(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		entered := make(chan bool, 1)
		g := t.newGate()
		s := t.start(&http.Server{
			IdleTimeout: d, ReadHeaderTimeout: d,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.RequestURI == "/slow" {
					entered <- true
					<-g
				}
				echoTarget(w, r)
			}),
		})
		slow := s.dial(t)
		slow.send(get("/slow"))
		receive(t, entered, "request")
		silent, idle := s.dial(t), s.dial(t)
		idle.goesOn()
		silent.ends()
		idle.ends()
		s.dial(t).goesOn()
		g.open()
		slow.wants(200, "/slow")
	})
}

// readTimeoutIsForTheWholeRequest: neither of the two parts takes too long, but both together do.
func readTimeoutIsForTheWholeRequest(t *test) {
	for _, first := range []bool{true, false} {
		t.each(map[bool]string{true: "first request", false: "later request"}[first], func(t *test) {
			t.Parallel()
			t.escalate(func(t *test, d time.Duration) {
				result := make(chan error, 1)
				c := t.start(&http.Server{
					ReadTimeout: d, IdleTimeout: time.Hour,
					Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						_, err := io.ReadAll(r.Body)
						if r.Method == "POST" {
							result <- err
						}
					}),
				}).dial(t)
				if !first {
					c.goesOn()
					time.Sleep(d / 2)
				}
				c.send("POST / HTTP/1.1\r\nHost: a\r\n")
				time.Sleep(d * 3 / 4)
				c.send("Content-Length: 6\r\n\r\nabc")
				time.Sleep(d * 3 / 4)
				io.WriteString(c, "def") // the connection may be closed already
				select {
				case err := <-result:
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("reading the body: %v, want ErrDeadlineExceeded", err)
					}
				case <-time.After(4 * d):
					t.Fatalf("the request has not reached the handler") // d was too short
				}
			})
		})
	}
}

func readHeaderTimeoutSparesIdleConnections(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		c := t.start(&http.Server{ReadHeaderTimeout: d, IdleTimeout: time.Hour, Handler: http.HandlerFunc(echoTarget)}).dial(t)
		for range 2 {
			c.goesOn()
			time.Sleep(2 * d)
		}
		c.goesOn()
	})
}

// negativeReadHeaderTimeoutIsNone: ReadTimeout does not replace it either.
func negativeReadHeaderTimeoutIsNone(t *test) {
	s := t.start(&http.Server{ReadHeaderTimeout: -1, ReadTimeout: short, Handler: http.HandlerFunc(echoTarget)})
	c := s.dial(t)
	c.send("GET / HTTP/1.1\r\n")
	time.Sleep(4 * short)
	c.send("Host: a\r\n\r\n")
	c.wants(200, "/")
}

func negativeTimeoutsAreNone(t *test) {
	c := t.start(&http.Server{ReadHeaderTimeout: -1, ReadTimeout: -1, WriteTimeout: -1, IdleTimeout: -1, Handler: http.HandlerFunc(echoBody)}).dial(t)
	c.goesOn()
	c.send(post("/", "abc"))
	c.wants(200, "/ abc <nil>")
	c.sendBeside(post("/", pattern(100_000)))
	c.wants(200, "/ "+pattern(100_000)+" <nil>")
}
