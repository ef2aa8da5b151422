package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// These behaviours are about texts that programs look for in their logs, and count.

var errorLogs = []behaviour{
	panicIsLoggedWithClientAndStack,
	panicOfAWrappedHandlerIsLogged,
	superfluousStatusIsLoggedWithItsCaller,
	superfluousStatusOfTimeoutHandlerIsLogged,
	useAfterHijackIsLoggedWithItsCaller,
	invalidContentLengthIsLogged,
	contradictoryFramingIsLogged,
	usualTroubleIsNotLogged,
}

// reads waits until the whole error log matches pattern.
func (b *logBuffer) reads(t *test, pattern string) {
	t.Helper()
	re := regexp.MustCompile(`\A(?s:` + pattern + `)\z`)
	t.eventually("the error log matches "+pattern, func() bool {
		got := b.String()
		if strings.HasSuffix(got, "\n") && !re.MatchString(got) {
			t.Fatalf("error log is\n%s\nwhich does not match %s", got, pattern)
		}
		return got != ""
	})
}

// byMe returns a pattern for a caller in this file, in the function of this name or one inside it.
func byMe(name string) string {
	return `\S+/recyclingtest\.` + name + `(\.\w+)* \(errorlog\.go:\d+\)\n`
}

func panicIsLoggedWithClientAndStack(t *test) {
	t.needHooks()
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { panic(fmt.Sprint("boom ", 1)) })
	c := s.dial(t)
	peer := regexp.QuoteMeta(c.LocalAddr().String())
	if c.LocalAddr().Network() != "tcp" {
		peer = ".*" // a Unix client has no address
	}
	c.send(get("/"))
	c.ends()
	s.log.reads(t, `http: panic serving `+peer+`: boom 1\ngoroutine \d+ \[running\]:\n.*recyclingtest\.panicIsLoggedWithClientAndStack\.func1\(.*`)
}

// panicOfAWrappedHandlerIsLogged: http.TimeoutHandler calls its handler on another goroutine.
func panicOfAWrappedHandlerIsLogged(t *test) {
	t.needHooks()
	h := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic("boom") }), patience, "")
	s := t.start(&http.Server{Handler: h})
	c := s.dial(t)
	c.send(get("/"))
	c.ends()
	s.log.reads(t, `http: panic serving [^\n]*: boom\ngoroutine \d+ \[running\]:\n.*`)
}

// superfluousStatusIsLoggedWithItsCaller: the log names the calling function, skipping those of
// net/http.
func superfluousStatusIsLoggedWithItsCaller(t *test) {
	t.needHooks()
	for name, again := range map[string]http.HandlerFunc{
		"WriteHeader": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) },
		"Error":       func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", 500) },
		"NotFound":    http.NotFound,
		"Redirect":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) },
		"wrapped":     func(w http.ResponseWriter, r *http.Request) { wrapper{w}.WriteHeader(500) },
	} {
		t.each(name, func(t *test) {
			s := t.serve(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(201)
				again(w, r)
			})
			if a := s.dial(t).exchange(get("/")); a.StatusCode != 201 {
				t.Errorf("status is %s", a.Status)
			}
			by := byMe("superfluousStatusIsLoggedWithItsCaller")
			if name == "wrapped" {
				by = `\S+/recyclingtest\.wrapper\.WriteHeader \(controller\.go:\d+\)\n`
			}
			s.log.reads(t, `http: superfluous response\.WriteHeader call from `+by)
		})
	}
}

// superfluousStatusOfTimeoutHandlerIsLogged: TimeoutHandler finds the log by http.ServerContextKey.
func superfluousStatusOfTimeoutHandlerIsLogged(t *test) {
	t.needHooks()
	s := t.start(&http.Server{Handler: http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		w.WriteHeader(202)
	}), patience, "")})
	c := s.dial(t)
	c.send(get("/"))
	c.wants(201, "")
	s.log.reads(t, `http: superfluous response\.WriteHeader call from `+byMe("superfluousStatusOfTimeoutHandlerIsLogged"))
}

func useAfterHijackIsLoggedWithItsCaller(t *test) {
	t.needHooks()
	for name, use := range map[string]func(w http.ResponseWriter){
		"WriteHeader": func(w http.ResponseWriter) { w.WriteHeader(500) },
		"Write":       func(w http.ResponseWriter) { w.Write([]byte("x")) },
		"WriteString": func(w http.ResponseWriter) { w.(io.StringWriter).WriteString("x") },
	} {
		t.each(name, func(t *test) {
			s := t.serve(func(w http.ResponseWriter, r *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					return
				}
				defer c.Close()
				use(w)
			})
			c := s.dial(t)
			c.send(get("/"))
			c.ends()
			method := strings.TrimSuffix(name, "String")
			s.log.reads(t, `http: response\.`+method+` on hijacked connection from `+byMe("useAfterHijackIsLoggedWithItsCaller"))
		})
	}
}

func invalidContentLengthIsLogged(t *test) {
	t.needHooks()
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "a\"b") })
	s.dial(t).exchange(get("/"))
	s.log.reads(t, `http: invalid Content-Length of "a\\"b"\n`)
}

func contradictoryFramingIsLogged(t *test) {
	t.needHooks()
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "0")
		w.Header().Set("Transfer-Encoding", "chunked")
	})
	s.dial(t).exchange(get("/"))
	s.log.reads(t, `http: WriteHeader called with both Transfer-Encoding of "chunked" and a Content-Length of 0\n`)
}

// usualTroubleIsNotLogged: what clients usually do wrong is not an error of the server.
func usualTroubleIsNotLogged(t *test) {
	s := t.start(&http.Server{
		ReadHeaderTimeout: short,
		MaxHeaderBytes:    4096,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(short))
			io.Copy(io.Discard, r.Body)
		}),
	})
	for _, raw := range []string{
		"GET / HTTP/1.1\r\nHo",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"GET / HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n",
		chunkedHead + "x\r\n",
		get("/", "Expect: x"),
	} {
		c := s.dial(t)
		c.send(raw)
		c.rest()
		c = s.dial(t)
		c.send(raw)
		c.reset()
	}
	s.end()
	s.log.isEmpty(t)
}
