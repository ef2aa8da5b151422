package recyclingtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

var responses = []behaviour{
	statusDefaultsTo200,
	statusIsSentWithItsText,
	unknownStatusCodeIsSent,
	firstStatusWins,
	invalidStatusCodePanics,
	firstWriteFixesTheHeader,
	headerIsASnapshotOfWriteHeader,
	emptyWriteFixesTheHeader,
	writeStringWrites,
	writtenBytesMayBeReused,
	writeReportsItsLength,
	writeBeyondContentLengthFails,
	writeShortOfContentLengthEndsTheConnection,
	bodyIsNotAllowedWith204And304,
	bodyIsNotSentToHead,
	flushSendsWhatIsWritten,
	flushSendsTheHeaderAlone,
	flushedResponseIsStreamedToHTTP10,
	dateIsSent,
	dateOfTheHandlerIsKept,
	largeResponseArrivesWhole,
}

func statusDefaultsTo200(t *test) {
	c := t.serve(func(http.ResponseWriter, *http.Request) {}).dial(t)
	c.send(get("/"))
	if a := c.wants(200, ""); a.Status != "200 OK" || a.ContentLength != 0 {
		t.Errorf("status %q, Content-Length %d", a.Status, a.ContentLength)
	}
}

// statusOf answers with the status that the request's target names.
func statusOf(w http.ResponseWriter, r *http.Request) {
	var code int
	fmt.Sscanf(r.RequestURI, "/%d", &code)
	w.WriteHeader(code)
}

func statusIsSentWithItsText(t *test) {
	c := t.serve(statusOf).dial(t)
	for code := 200; code < 600; code++ {
		if text := http.StatusText(code); text != "" {
			a := c.exchange(get(fmt.Sprint("/", code)))
			if want := fmt.Sprint(code, " ", text); a.Status != want || a.text != "" {
				t.Errorf("status line is %q, body %q; want %q", a.Status, a.text, want)
			}
		}
	}
}

func unknownStatusCodeIsSent(t *test) {
	c := t.serve(statusOf).dial(t)
	for _, code := range []int{299, 499, 799, 999} {
		a := c.exchange(get(fmt.Sprint("/", code)))
		if want := fmt.Sprintf("%d status code %d", code, code); a.Status != want {
			t.Errorf("status line is %q, want %q", a.Status, want)
		}
	}
}

func firstStatusWins(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		w.WriteHeader(500)
		io.WriteString(w, "x")
		w.WriteHeader(404)
	})
	c := s.dial(t)
	c.send(get("/"))
	c.wants(201, "x")
	s.log.wants(t, "http: superfluous response.WriteHeader call from ", "recyclingtest.firstStatusWins", " (response.go:")
	if !t.target.NoHooks {
		if n := strings.Count(s.log.String(), "superfluous"); n != 2 {
			t.Errorf("logged %d times, want 2:\n%s", n, s.log)
		}
	}
}

func invalidStatusCodePanics(t *test) {
	panics := make(chan any, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		defer func() { panics <- recover() }()
		statusOf(w, r)
	}).dial(t)
	for _, code := range []int{-1, 0, 1, 99, 1000, 10000} {
		c.exchange(get(fmt.Sprint("/", code)))
		want := fmt.Sprint("invalid WriteHeader code ", code)
		if v := receive(t, panics, "recovered panic"); v != want {
			t.Errorf("panic is %v, want %q", v, want)
		}
	}
}

func firstWriteFixesTheHeader(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Before", "1")
		io.WriteString(w, "x")
		w.Header().Set("X-Before", "2")
		w.Header().Set("X-After", "1")
	}).dial(t)
	c.send(get("/"))
	a := c.wants(200, "x")
	if a.Header.Get("X-Before") != "1" || a.Header.Get("X-After") != "" {
		t.Errorf("header is %v", a.Header)
	}
}

func headerIsASnapshotOfWriteHeader(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Foo"] = []string{"kept", "too"}
		h.Set("X-Deleted", "kept")
		w.WriteHeader(200)
		h["X-Foo"][0] = "changed in place"
		h["X-Foo"] = append(h["X-Foo"], "appended")
		h.Del("X-Deleted")
		h.Set("Content-Length", "12345")
		h.Set("Content-Type", "x/y")
		h.Set("Connection", "close")
		io.WriteString(w, "body")
	}).dial(t)
	c.send(get("/"))
	a := c.wants(200, "body")
	if got := fmt.Sprint(a.Header["X-Foo"], a.Header["X-Deleted"]); got != "[kept too] [kept]" {
		t.Errorf("header is %v", a.Header)
	}
	c.goesOn()
}

func emptyWriteFixesTheHeader(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		n, err := w.Write(nil)
		w.Header().Set("X-After", "1")
		w.WriteHeader(500)
		fmt.Fprint(w, n, " ", err)
	}).dial(t)
	c.send(get("/"))
	if a := c.wants(200, "0 <nil>"); a.Header.Get("X-After") != "" {
		t.Errorf("header is %v", a.Header)
	}
}

func writeStringWrites(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		sw, ok := w.(io.StringWriter)
		if !ok {
			http.Error(w, "no io.StringWriter", 500)
			return
		}
		sw.WriteString("a")
		sw.WriteString("")
		w.Write([]byte("b"))
		sw.WriteString(strings.Repeat("c", 5000))
	}).dial(t)
	c.send(get("/"))
	c.wants(200, "ab"+strings.Repeat("c", 5000))
}

func writtenBytesMayBeReused(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		p := make([]byte, 10_000)
		for i := range 26 {
			for j := range p {
				p[j] = byte('a' + i)
			}
			w.Write(p[:1+i*390])
		}
		clear(p)
	}).dial(t)
	var want strings.Builder
	for i := range 26 {
		want.WriteString(strings.Repeat(string(rune('a'+i)), 1+i*390))
	}
	c.send(get("/"))
	c.wants(200, want.String())
}

func writeReportsItsLength(t *test) {
	result := make(chan string, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		for _, n := range []int{0, 1, 2048, 5000, 100_000} {
			n, err := w.Write(make([]byte, n))
			fmt.Fprint(&b, n, " ", err, "; ")
		}
		result <- b.String()
	}).dial(t)
	const want = "0 <nil>; 1 <nil>; 2048 <nil>; 5000 <nil>; 100000 <nil>; "
	for _, method := range []string{"GET", "HEAD"} {
		c.exchange(request(method, "/"))
		if got := receive(t, result, "result"); got != want {
			t.Errorf("%s: writes returned %s", method, got)
		}
	}
}

func writeBeyondContentLengthFails(t *test) {
	result := make(chan error, 2)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "abc")
		_, err := io.WriteString(w, "def")
		result <- err
		_, err = w.Write([]byte("g"))
		result <- err
	}).dial(t)
	c.send(get("/"))
	for range 2 {
		if err := receive(t, result, "result of Write"); !errors.Is(err, http.ErrContentLength) {
			t.Errorf("Write beyond Content-Length: %v, want ErrContentLength", err)
		}
	}
	if a := c.answer("GET"); a.text != "abc" || a.ContentLength != 5 || !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("body is %q, %v; want what was accepted, and the end", a.text, a.err)
	}
}

func writeShortOfContentLengthEndsTheConnection(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "short")
	})
	c := s.dial(t)
	c.send(get("/") + get("/next"))
	if a := c.answer("GET"); a.text != "short" || !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("body is %q, %v", a.text, a.err)
	}
	c = s.dial(t)
	if a := c.exchange(request("HEAD", "/")); a.ContentLength != 10 {
		t.Errorf("Content-Length of HEAD is %d", a.ContentLength)
	}
	c.exchange(request("HEAD", "/"))
}

func bodyIsNotAllowedWith204And304(t *test) {
	result := make(chan error, 2)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "4")
		w.Header().Set("X-Foo", "bar")
		statusOf(w, r)
		n, err := io.WriteString(w, "body")
		if n != 0 {
			err = fmt.Errorf("wrote %d", n)
		}
		result <- err
		_, err = w.Write(nil)
		result <- err
	}).dial(t)
	for _, target := range []string{"/204", "/304"} {
		a := c.exchange(get(target))
		if err := receive(t, result, "result of Write"); !errors.Is(err, http.ErrBodyNotAllowed) {
			t.Errorf("%s: Write: %v, want ErrBodyNotAllowed", target, err)
		}
		if err := receive(t, result, "result of Write"); err != nil {
			t.Errorf("%s: Write(nil): %v", target, err)
		}
		if a.text != "" || len(a.Header) != 2 || a.Header.Get("X-Foo") != "bar" || a.Header.Get("Date") == "" {
			t.Errorf("%s: header %v, body %q", target, a.Header, a.text)
		}
	}
}

func bodyIsNotSentToHead(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscanf(r.RequestURI, "/%d", &n)
		w.Write(make([]byte, n))
	}).dial(t)
	for _, n := range []int{0, 1, 2048, 2049, 100_000} {
		a := c.exchange(request("HEAD", fmt.Sprint("/", n)))
		want := fmt.Sprint(n)
		if n == 0 || n > 2048 {
			want = ""
		}
		if got := a.Header.Get("Content-Length"); got != want || a.TransferEncoding != nil {
			t.Errorf("HEAD of %d bytes: Content-Length %q, want %q; Transfer-Encoding %q", n, got, want, a.TransferEncoding)
		}
		if got := a.Header.Get("Content-Type"); (got == "") != (n == 0) {
			t.Errorf("HEAD of %d bytes: Content-Type %q", n, got)
		}
	}
}

func flushSendsWhatIsWritten(t *test) {
	next := make(chan bool)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprint(w, "part ", i)
			w.(http.Flusher).Flush()
			<-next
		}
	}).dial(t)
	defer close(next)
	c.send(get("/"))
	c.head()
	for i := range 3 {
		c.bytes(fmt.Sprint("6\r\npart ", i, "\r\n"))
		next <- true
	}
	c.bytes("0\r\n\r\n")
	c.goesOnAfter(next)
}

// goesOnAfter is goesOn for flushSendsWhatIsWritten's handler.
func (c *wire) goesOnAfter(next chan<- bool) {
	c.t.Helper()
	c.send(get("/again"))
	for range 3 {
		next <- true
	}
	c.wants(200, "part 0part 1part 2")
}

func flushSendsTheHeaderAlone(t *test) {
	g := t.newGate()
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Foo", "bar")
		w.(http.Flusher).Flush()
		<-g
		io.WriteString(w, "late")
	}).dial(t)
	c.send(get("/"))
	if h := c.head(); !strings.Contains(h, "X-Foo: bar\r\n") || strings.Contains(h, "Content-Type") {
		t.Errorf("header is %q", h)
	}
	g.open()
	c.bytes("4\r\nlate\r\n0\r\n\r\n")
}

func flushedResponseIsStreamedToHTTP10(t *test) {
	g := t.newGate()
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		<-g
		io.WriteString(w, "last")
	}).dial(t)
	c.send("GET / HTTP/1.0\r\n\r\n")
	c.head()
	c.bytes("first ")
	g.open()
	c.bytes("last")
	c.ends()
}

func dateIsSent(t *test) {
	s := t.serve(statusOf)
	for _, target := range []string{"/200", "/204", "/301", "/304", "/404", "/500"} {
		a := s.dial(t).exchange(get(target))
		date, err := time.Parse(http.TimeFormat, a.Header.Get("Date"))
		if off := time.Since(date).Abs(); err != nil || off > patience {
			t.Errorf("%s: Date is %q: %v", target, a.Header.Get("Date"), err)
		}
	}
}

func dateOfTheHandlerIsKept(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		switch r.RequestURI {
		case "/own":
			w.Header().Set("Date", "some day")
		case "/none":
			w.Header()["Date"] = nil
		}
	}).dial(t)
	if a := c.exchange(get("/own")); a.Header.Get("Date") != "some day" || len(a.Header["Date"]) != 1 {
		t.Errorf("Date is %q", a.Header["Date"])
	}
	if a := c.exchange(get("/none")); a.Header["Date"] != nil {
		t.Errorf("Date is %q, want none", a.Header["Date"])
	}
}

func largeResponseArrivesWhole(t *test) {
	want := pattern(3 << 20)
	for name, chunk := range map[string]int{"in one write": len(want), "in large writes": 70_001, "in small writes": 100} {
		t.each(name, func(t *test) {
			c := t.serve(func(w http.ResponseWriter, r *http.Request) {
				for rest := want; len(rest) > 0; {
					n, err := io.WriteString(w, rest[:min(chunk, len(rest))])
					if err != nil {
						return
					}
					rest = rest[n:]
				}
			}).dial(t)
			c.send(get("/") + "GET / HTTP/1.0\r\n\r\n")
			for range 2 {
				if a := c.answer("GET"); a.text != want || a.err != nil {
					t.Errorf("%s: body of %d bytes, %v; want %d bytes", a.Proto, len(a.text), a.err, len(want))
				}
			}
		})
	}
}
