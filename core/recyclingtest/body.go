package recyclingtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

var bodies = []behaviour{
	fixedLengthBodyIsReadWhole,
	bodyReadInSmallPiecesIsWhole,
	bodyEndsWithEOFForever,
	emptyBodyReadsEOF,
	http10BodyIsRead,
	unreadBodyIsDrained,
	unreadLargeBodyEndsTheConnection,
	unreadRestOfBodyIsDrained,
	unreadBodyIsDrainedBeforeTheResponse,
	closedBodyCannotBeRead,
	closedBodyIsDrained,
	closedLargeBodyEndsTheConnection,
	truncatedBodyIsUnexpectedEOF,
	truncatedUnreadBodyDoesNotHangTheServer,
	bodyCannotBeReadAfterTheHeaderWasSent,
	bodyMayBeReadUntilTheHeaderIsSent,
	handlerMayReplaceTheBody,
	bodyOfThePreviousRequestIsNotTouchedByTheNext,
}

// pattern returns n bytes that differ from position to position.
func pattern(n int) string { return longPattern()[:n] }

var longPattern = sync.OnceValue(func() string { return numbers(large) })

// numbers returns the first n bytes of the numbers from 1000000 on, each followed by a dot.
func numbers(n int) string {
	b := make([]byte, 0, n+10)
	for i := 1_000_000; len(b) < n; i++ {
		b = append(strconv.AppendInt(b, int64(i), 10), '.')
	}
	return string(b[:n])
}

func fixedLengthBodyIsReadWhole(t *test) {
	s := t.serve(echoBody)
	c := s.dial(t)
	for _, n := range []int{1, 2, 100, 2047, 2048, 4095, 4096, 4097, 65536, 300_000} {
		body := pattern(n)
		c.sendBeside(post("/", body))
		c.wants(200, "/ "+body+" <nil>")
	}
}

func bodyReadInSmallPiecesIsWhole(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		var all []byte
		for p := make([]byte, 7); ; {
			n, err := r.Body.Read(p)
			all = append(all, p[:n]...)
			if err != nil {
				fmt.Fprintf(w, "%s %v", all, err)
				return
			}
		}
	}).dial(t)
	body := pattern(9999)
	c.send(post("/", body))
	c.wants(200, body+" EOF")
	c.send(chunked("/", body[:10], body[10:5000], body[5000:]))
	c.wants(200, body+" EOF")
}

func bodyEndsWithEOFForever(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for range 3 {
			n, err := r.Body.Read(make([]byte, 10))
			fmt.Fprintln(w, n, err)
		}
	}).dial(t)
	for _, raw := range []string{post("/", "abc"), chunked("/", "abc")} {
		c.send(raw + get("/next"))
		c.wants(200, "0 EOF\n0 EOF\n0 EOF\n")
		c.wants(200, "0 EOF\n0 EOF\n0 EOF\n")
	}
}

func emptyBodyReadsEOF(t *test) {
	c := t.serve(echoBody).dial(t)
	for _, raw := range []string{get("/"), request("POST", "/"), post("/", ""), chunked("/")} {
		c.send(raw)
		c.wants(200, "/  <nil>")
	}
}

func http10BodyIsRead(t *test) {
	c := t.serve(echoBody).dial(t)
	c.send("POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc")
	c.wants(200, "/ abc <nil>")
	c.send("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabcdef")
	c.wants(200, "/ abc <nil>")
	c.ends()
}

func unreadBodyIsDrained(t *test) {
	c := t.serve(echoTarget).dial(t)
	for _, n := range []int{1, 5000, 255 << 10} {
		for _, raw := range []string{post("/fixed", pattern(n)), chunkedBy(3000, pattern(n))} {
			c.sendBeside(raw)
			if a := c.answer("POST"); a.StatusCode != 200 || a.Close {
				t.Fatalf("unread body of %d bytes: %d, Connection: close %v", n, a.StatusCode, a.Close)
			}
			c.goesOn()
		}
	}
}

func unreadLargeBodyEndsTheConnection(t *test) {
	s := t.serve(echoTarget)
	for name, raw := range map[string]string{
		"fixed":   post("/", pattern(257<<10)),
		"chunked": chunkedBy(3000, pattern(300<<10)),
		"unsent":  request("POST", "/", "Content-Length: 10000000000"),
	} {
		t.each(name, func(t *test) {
			c := s.dial(t)
			c.sendBeside(raw)
			if a := c.wants(200, "/"); !a.Close {
				t.Errorf("response has no Connection: close")
			}
			c.ends()
		})
	}
}

func unreadRestOfBodyIsDrained(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		p := make([]byte, 5)
		n, err := io.ReadFull(r.Body, p)
		fmt.Fprintf(w, "%s %v", p[:n], err)
	}).dial(t)
	body := pattern(100_000)
	for _, raw := range []string{post("/", body), chunkedBy(3000, body)} {
		c.sendBeside(raw)
		c.wants(200, body[:5]+" <nil>")
		c.sendBeside(post("/", "second"))
		c.wants(200, "secon <nil>")
	}
}

// unreadBodyIsDrainedBeforeTheResponse: a client that sends its whole request before it reads the
// response must not be blocked by a server that blocks while it writes the response.
func unreadBodyIsDrainedBeforeTheResponse(t *test) {
	reply := pattern(200_000)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, reply) }).dial(t)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
	c.send("def")
	c.wants(200, reply)
	c.goesOn()
}

func closedBodyCannotBeRead(t *test) {
	errs := make(chan error, 3)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		r.Body.Read(make([]byte, 1))
		errs <- r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		errs <- err
		errs <- r.Body.Close()
	}).dial(t)
	for _, raw := range []string{post("/", "abc"), chunked("/", "abc")} {
		c.exchange(raw)
		if err := receive(t, errs, "result"); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := receive(t, errs, "result"); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("Read after Close: %v, want ErrBodyReadAfterClose", err)
		}
		if err := receive(t, errs, "result"); err != nil {
			t.Errorf("second Close: %v", err)
		}
	}
}

func closedBodyIsDrained(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		io.WriteString(w, "ok")
	}).dial(t)
	for _, raw := range []string{post("/", pattern(100_000)), chunkedBy(3000, pattern(100_000)), post("/", pattern(256<<10-1))} {
		c.sendBeside(raw)
		c.wants(200, "ok")
		c.goesOn()
	}
}

func closedLargeBodyEndsTheConnection(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		io.WriteString(w, "ok")
	}).dial(t)
	c.sendBeside(post("/", pattern(300<<10)))
	if a := c.wants(200, "ok"); !a.Close {
		t.Errorf("response has no Connection: close")
	}
	c.ends()
}

func truncatedBodyIsUnexpectedEOF(t *test) {
	for name, raw := range map[string]string{
		"fixed":         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
		"fixed, none":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
		"in a chunk":    request("POST", "/", "Transfer-Encoding: chunked") + "9\r\nabc",
		"after a chunk": request("POST", "/", "Transfer-Encoding: chunked") + inChunks("abc"),
	} {
		t.each(name, func(t *test) {
			result := make(chan error, 1)
			c := t.serve(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				result <- err
				w.Write(body)
			}).dial(t)
			c.send(raw)
			c.halfClose()
			if err := receive(t, result, "result of reading the body"); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("reading the body: %v, want ErrUnexpectedEOF", err)
			}
			a := c.answer("POST")
			if want := strings.TrimLeft(raw[strings.LastIndexByte(raw, '\n'):], "\n"); name != "after a chunk" && a.text != want {
				t.Errorf("handler read %q, want %q", a.text, want)
			}
			c.ends()
		})
	}
}

func truncatedUnreadBodyDoesNotHangTheServer(t *test) {
	s := t.serve(echoTarget)
	c := s.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
	c.halfClose()
	c.wants(200, "/")
	c.ends()
}

func bodyCannotBeReadAfterTheHeaderWasSent(t *test) {
	result := make(chan error, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		_, err := r.Body.Read(make([]byte, 1))
		result <- err
	}).dial(t)
	for _, raw := range []string{post("/", "abc"), chunked("/", "abc")} {
		c.send(raw)
		if err := receive(t, result, "result of Read"); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("Read after Flush: %v, want ErrBodyReadAfterClose", err)
		}
		c.wants(200, "")
	}
}

func bodyMayBeReadUntilTheHeaderIsSent(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		io.WriteString(w, "read: ")
		io.Copy(w, r.Body)
	}).dial(t)
	c.send(post("/", "abc"))
	c.wants(201, "read: abc")
}

func handlerMayReplaceTheBody(t *test) {
	for name, replacement := range map[string]io.ReadCloser{
		"nil":    nil,
		"NoBody": http.NoBody,
		"other":  io.NopCloser(strings.NewReader("other")),
	} {
		t.each(name, func(t *test) {
			c := t.serve(func(w http.ResponseWriter, r *http.Request) {
				r.Body = replacement
				io.WriteString(w, r.RequestURI)
			}).dial(t)
			c.send(post("/1", "abc") + chunked("/2", "abc") + get("/3"))
			c.wants(200, "/1")
			c.wants(200, "/2")
			c.wants(200, "/3")
		})
	}
}

func bodyOfThePreviousRequestIsNotTouchedByTheNext(t *test) {
	previous := make(chan io.ReadCloser, 2)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		select {
		case old := <-previous:
			n, err := old.Read(make([]byte, 10))
			old.Close()
			body, err2 := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%d %v, %s %v", n, err, body, err2)
		default:
		}
		previous <- r.Body
	}).dial(t)
	c.send(post("/", "first") + post("/", "second"))
	c.wants(200, "")
	c.wants(200, "0 http: invalid Read on closed Body, second <nil>")
}
