package recycling_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about what a request may cost: bugs by which a few bytes made a server read,
// allocate or compute without limit.

// To look for a token in a Connection value of several megabytes, a function called itself
// recursively.
func TestCVE_2021_31525_LargeConnectionValue(t *testing.T) {
	forEach(t, cveModes, func(t *testing.T, m mode) {
		size := 1 << 20
		if m.name == recyclingOwn.name && !testing.Short() {
			size = 8 << 20 // 7 MB sufficed
		}
		s := m.start(t, &recycling.Server{HTTP: &http.Server{MaxHeaderBytes: 2 * size}}, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Close, len(r.Header.Get("Connection")))
		})
		value := strings.Repeat("x,", size/2)
		for _, last := range []string{"x", "close"} {
			c := s.dial(t)
			raw := "GET / HTTP/1.1\r\nHost: test\r\nConnection: " + value + last + "\r\n\r\n"
			n := allocated(func() {
				c.send("%s", raw)
				if _, body := c.response(); body != fmt.Sprint(last == "close", len(value)+len(last)) {
					t.Errorf("answer %q", body)
				}
			})
			if n > 12*size { // growing buffers twice, a copy, and this test's Fprintf
				t.Errorf("%d bytes were allocated for a header of %d", n, size)
			}
			c.Close()
		}
	})
}

// For a header with many line ends, a map was allocated for as many fields before any was read.
func TestCVE_2023_24534_ManyLineEnds(t *testing.T) {
	const size = 1 << 20
	for _, v := range []struct {
		name, raw string
		factor    int // how many bytes may be allocated for each byte of the header
	}{
		{"LF", strings.Repeat("\n", size), 8},
		{"CRLF", strings.Repeat("\r\n", size/2), 8},
		{"fields without a name", "GET / HTTP/1.1\r\nHost: test\r\n" + strings.Repeat(":\r\n", size/3-100) + "\r\n", 8},
		{"fields without a name, LF", "GET / HTTP/1.1\r\nHost: test\r\n" + strings.Repeat(":\n", size/2-100) + "\n", 8},
		{"fields of one name", "GET / HTTP/1.1\r\nHost: test\r\n" + strings.Repeat("a:\n", size/3-100) + "\n", 32},
		{"100,000 fields", "GET / HTTP/1.1\r\nHost: test\r\n" + manyFields(100_000) + "\r\n", 48},
	} {
		forEach(t, []mode{recyclingOwn, goroutineOwn}, func(t *testing.T, m mode) {
			s := m.start(t, &recycling.Server{HTTP: quiet()}, hello)
			s.once(t, "/")
			c := s.dial(t)
			n := allocated(func() {
				go func() {
					io.WriteString(c, v.raw)
					c.Conn.(interface{ CloseWrite() error }).CloseWrite()
				}()
				c.answers()
			})
			if n > v.factor*size {
				t.Errorf("%s: %d bytes were allocated for a header of %d", v.name, n, size)
			}
			s.once(t, "/")
		})
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%x:\r\n", i)
	}
	return b.String()
}

// Forms with very many parts, or with very long lines in a part, were kept in memory.
func TestCVE_2023_24536_2022_41725_2023_45290_Multipart(t *testing.T) {
	const part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n"
	for _, v := range []struct {
		name, head, piece string
		size              int
	}{
		{"24536 a million parts", "", part, 1_000_000 * len(part)},
		{"24536 a million header lines", "--b\r\n", "a: b\r\n", 1 << 30},
		{"41725 a million files", "", strings.Replace(part, "name=\"a\"", "name=\"a\"; filename=\"f\"", 1), 1_000_000 * len(part)},
		{"41725 a million names", "--b\r\nContent-Disposition: form-data; name=\"a\"", "; x=y", 1 << 30},
		{"45290 a line of 1 GB", "--b\r\nX: ", strings.Repeat("x", 1024), 1 << 30},
		{"45290 a boundary line of 1 GB", "--b", strings.Repeat(" ", 1024), 1 << 30},
	} {
		forEach(t, []mode{recyclingOwn, recyclingWrapped, goroutineOwn}, func(t *testing.T, m mode) {
			meter := new(meter)
			if m.name != recyclingOwn.name { // its sockets cannot be metered
				m, meter = m.metered()
			}
			result := make(chan error, 1)
			s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
				result <- r.ParseMultipartForm(1 << 20)
				w.Header().Set("Connection", "close")
			})
			c := s.dial(t)
			n := allocated(func() {
				c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", v.size, v.head)
				go c.flood(v.piece, v.size)
				if err := receive(t, result, "the handler"); err == nil {
					t.Errorf("%s: the form was parsed", v.name)
				}
			})
			c.Close()
			if n > 96<<20 {
				t.Errorf("%s: %d bytes were allocated", v.name, n)
			}
			if n := meter.read.Load(); n > 16<<20 {
				t.Errorf("%s: %d bytes were read", v.name, n)
			}
		})
	}
}

// Others copy the Host that a client sends into their own requests and pages. An invalid one is
// refused and never echoed.
func TestCVE_2023_29406_HostIsNotEchoed(t *testing.T) {
	parallel(t)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		var log journal
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ErrorLog: log.logger()}}, func(w http.ResponseWriter, r *http.Request) {
			t.Errorf("the handler was called for Host %q", r.Host)
		})
		for _, host := range []string{"a/injected", "a\r injected", "<injected>", "a\x00injected", "a injected", "injected@a", "a\tinjected", "a\x1binjected", "a\"injected", "a#injected", "a?injected", "a\\injected"} {
			c := s.dial(t)
			c.send("GET / HTTP/1.1\r\nHost: %s\r\nX-Injected: injected\r\n\r\n", host)
			answer, err := io.ReadAll(c.r)
			if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || strings.Contains(string(answer), "injected") {
				t.Errorf("%q is answered with %q, %v", host, answer, err)
			}
		}
		if strings.Contains(log.String(), "injected") {
			t.Errorf("error log has %q", &log)
		}
	})
}

// Chunks of one byte with long extensions made the server read a gigabyte for a small body, even if
// no handler read it.
func TestCVE_2023_39326_ChunkExtensions(t *testing.T) {
	parallel(t)
	piece := "1;" + strings.Repeat("x", 3900) + "\r\na\r\n"
	for name, handler := range map[string]http.HandlerFunc{
		"read":     func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) },
		"unread":   func(w http.ResponseWriter, r *http.Request) {},
		"answered": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("x", 10_000)) },
		"closed":   func(w http.ResponseWriter, r *http.Request) { r.Body.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, []mode{recyclingWrapped, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
				m, meter := m.metered()
				s := m.start(t, &recycling.Server{HTTP: quiet()}, handler)
				c := s.dial(t)
				c.send("%s", with("Transfer-Encoding: chunked"))
				go c.flood(piece, 1<<30)
				c.answers()
				if n := meter.read.Load(); n > 256<<10+64<<10 {
					t.Errorf("the server has read %d bytes", n)
				}
				s.await(t, "the connection's end", func(st recycling.Stats) bool { return st.Open == 0 })
			})
			if name != "unread" {
				return
			}
			// A socket of our own lingers, and discards some more, but not forever.
			s := recyclingOwn.start(t, &recycling.Server{HTTP: quiet()}, handler)
			c := s.dial(t)
			c.send("%s", with("Transfer-Encoding: chunked"))
			if n := c.flood(piece, 1<<30); n > 16<<20+socketSpace {
				t.Errorf("the server has taken %d bytes", n)
			}
		})
	}
}

// A header of one megabyte became half a million cookies.
func TestCVE_2025_58186_ManyCookies(t *testing.T) {
	forEach(t, cveModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			n := 0
			bytes := allocated(func() { n = len(r.Cookies()) })
			fmt.Fprint(w, n <= 3000 && bytes < 1<<20)
		})
		for _, cookie := range []string{"a=;", "a=b; ", ";", "a;"} {
			c := s.dial(t)
			c.send("GET / HTTP/1.1\r\nHost: test\r\nCookie: %s\r\n\r\n", strings.Repeat(cookie, min(500_000, (1<<20)/len(cookie)-20)))
			if _, body := c.response(); body != "true" {
				t.Errorf("too much was made of %q", cookie)
			}
			c.Close()
		}
	})
}

// A query or form of a million parameters was parsed, and a proxy forwarded parameters that it had
// not parsed. The limit is package net/url's, and may be set there.
func TestCVE_2025_61726_2026_39825_QueryParameters(t *testing.T) {
	forEach(t, cveModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			err := r.ParseForm()
			fmt.Fprint(w, len(r.Form["a"])+len(r.Form), err != nil)
		})
		query := strings.Repeat("a&", 500_000)
		form := strings.Repeat("a&", 1_000_000)
		ask := func(query, form string) string {
			c := s.dial(t)
			defer c.Close()
			c.send("POST /?%s HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", query, len(form), form)
			_, body := c.response()
			return body
		}
		for name, q := range map[string][2]string{"query": {query, ""}, "form": {"", form}} {
			if got := ask(q[0], q[1]); !strings.HasPrefix(got, "0") || !strings.HasSuffix(got, "true") {
				t.Errorf("%s: %s parameters were parsed", name, got)
			}
		}
		if got := ask("a&a", "a"); got != "4 false" {
			t.Errorf("a small query and form: %s", got)
		}
		t.Setenv("GODEBUG", "urlmaxqueryparams=2")
		if got := ask("a&a&a", ""); !strings.HasSuffix(got, "true") {
			t.Errorf("GODEBUG=urlmaxqueryparams=2 has no effect: %s", got)
		}
		t.Setenv("GODEBUG", "urlmaxqueryparams=0")
		if got := ask(query[:200_000], ""); got != "100001 false" {
			t.Errorf("GODEBUG=urlmaxqueryparams=0 has no effect: %s", got)
		}
	})
}

// Errors contained the client's bytes unescaped, with control characters and line ends, and were
// logged.
func TestCVE_2026_42507_NothingRawInErrorsAndLogs(t *testing.T) {
	parallel(t)
	const evil = "\x1b[2J\rINJECTED\x07"
	readings := make(chan error, 1)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		var log journal
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ErrorLog: log.logger()}}, func(w http.ResponseWriter, r *http.Request) {
			if mr, err := r.MultipartReader(); err == nil {
				_, err = mr.NextPart()
				readings <- err
				return
			}
			_, err := io.Copy(io.Discard, r.Body)
			readings <- err
		})
		for _, raw := range []string{
			evil + " / HTTP/1.1\r\n\r\n",
			"GET " + evil + " HTTP/1.1\r\n\r\n",
			"GET /" + evil + " HTTP/1.1\r\n\r\n",
			"GET http://a:" + evil + "/ HTTP/1.1\r\n\r\n",
			"GET / " + evil + "\r\n\r\n",
			with(evil),
			with("X" + evil + ": a"),
			with("X: a" + evil),
			with("Content-Length: 1" + evil),
			with("Transfer-Encoding: " + evil),
			with("Expect: " + evil),
			"GET / HTTP/1.1\r\nHost: " + evil + "\r\n\r\n",
		} {
			c := s.dial(t)
			c.send("%s", raw)
			c.CloseWrite()
			answer, _ := io.ReadAll(c.r)
			if s := controls(strings.ReplaceAll(string(answer), "\r\n", "\n")); s != "" {
				t.Errorf("%q is answered with %q", raw, answer)
			}
			c.Close()
		}
		for _, raw := range []string{
			inChunks(evil + "\r\n\r\n"),
			inChunks("3;" + evil + "\r\nabc\r\n0\r\n\r\n"),
			inChunks("0\r\n" + evil + "\r\n\r\n"),
			inChunks("0\r\nX: " + evil + "\r\n\r\n"),
		} {
			c := s.dial(t)
			c.send("%s", raw)
			c.CloseWrite()
			c.answers()
			if err := receive(t, readings, "the handler"); err != nil && controls(err.Error()) != "" {
				t.Errorf("%q: reading returned %q", raw, err)
			}
			c.Close()
		}
		part := "--b\r\nX" + evil + "\r\n\r\n--b--\r\n"
		c := s.dial(t)
		c.send("%s", with("Content-Type: multipart/form-data; boundary=b", fmt.Sprint("Content-Length: ", len(part)))+part)
		c.response()
		if err := receive(t, readings, "the handler"); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a malformed part is %v", err)
		} else if fixedIn("go1.26.4", "go1.25.11") && controls(err.Error()) != "" {
			t.Errorf("a malformed part is %q", err)
		}
		if s := log.String(); controls(s) != "" || strings.Contains(s, "\nINJECTED") {
			t.Errorf("error log has %q", s)
		}
	})
}
