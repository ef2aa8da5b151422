package recyclingtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

var writes = []behaviour{
	emptyWriteFixesTheHeader,
	writeStringWrites,
	writtenBytesMayBeReused,
	writeReportsItsLength,
	writeBeyondContentLengthFails,
	writeShortOfContentLengthEndsTheConnection,
	bodyIsNotAllowedWith204And304,
	bodyIsNotSentToHead,
	largeResponseArrivesWhole,
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
		a.Header.Del("Content-Type") // a 204 response may have it
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
