package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

var framings = []behaviour{
	shortResponseHasContentLength,
	longResponseIsChunked,
	flushedResponseIsChunked,
	declaredContentLengthIsKept,
	declaredContentLengthIsKeptWhenFlushed,
	invalidContentLengthIsDropped,
	transferEncodingBeatsContentLength,
	identityEncodingEndsTheConnection,
	http10IsNeverChunked,
	transferEncodingOfTheHandlerIsNotDoubled,
}

// writesOf responds with as many bytes as the target says, in writes of the given size: /2048/100.
func writesOf(w http.ResponseWriter, r *http.Request) {
	var total, each int
	fmt.Sscanf(r.RequestURI, "/%d/%d", &total, &each)
	for total > 0 {
		n, _ := io.WriteString(w, strings.Repeat("x", min(total, each)))
		total -= n
	}
}

func shortResponseHasContentLength(t *test) {
	c := t.serve(writesOf).dial(t)
	for _, target := range []string{"/0/1", "/1/1", "/100/1", "/2047/100", "/2048/2048", "/2048/2", "/2048/2047"} {
		a := c.exchange(get(target))
		if a.ContentLength != int64(len(a.text)) || a.TransferEncoding != nil || !strings.HasPrefix(target, fmt.Sprintf("/%d/", len(a.text))) {
			t.Errorf("%s: Content-Length %d, Transfer-Encoding %q, %d bytes", target, a.ContentLength, a.TransferEncoding, len(a.text))
		}
	}
}

func longResponseIsChunked(t *test) {
	c := t.serve(writesOf).dial(t)
	for _, target := range []string{"/2049/2049", "/2049/1", "/2049/2048", "/100000/100000", "/100000/1000"} {
		a := c.exchange(get(target))
		if a.ContentLength != -1 || !slices.Equal(a.TransferEncoding, []string{"chunked"}) || !strings.HasPrefix(target, fmt.Sprintf("/%d/", len(a.text))) {
			t.Errorf("%s: Content-Length %d, Transfer-Encoding %q, %d bytes", target, a.ContentLength, a.TransferEncoding, len(a.text))
		}
	}
}

func flushedResponseIsChunked(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "x")
		w.(http.Flusher).Flush()
	}).dial(t)
	c.send(get("/"))
	if a := c.wants(200, "x"); a.ContentLength != -1 || !slices.Equal(a.TransferEncoding, []string{"chunked"}) {
		t.Errorf("Content-Length %d, Transfer-Encoding %q", a.ContentLength, a.TransferEncoding)
	}
	c.goesOn()
}

func declaredContentLengthIsKept(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5000")
		writesOf(w, r)
	}).dial(t)
	for _, target := range []string{"/5000/5000", "/5000/100", "/5000/1"} {
		a := c.exchange(get(target))
		if a.ContentLength != 5000 || len(a.text) != 5000 || a.TransferEncoding != nil || a.err != nil {
			t.Errorf("%s: Content-Length %d, %d bytes, %v", target, a.ContentLength, len(a.text), a.err)
		}
	}
	c.exchange(request("HEAD", "/5000/5000"))
	if a := c.exchange(request("HEAD", "/0/1")); a.ContentLength != 5000 || a.Close {
		t.Errorf("HEAD: Content-Length %d", a.ContentLength)
	}
	c.exchange(request("HEAD", "/0/1"))
}

func declaredContentLengthIsKeptWhenFlushed(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.(http.Flusher).Flush()
		io.WriteString(w, "01234")
		w.(http.Flusher).Flush()
		io.WriteString(w, "56789")
	}).dial(t)
	c.send(get("/"))
	if a := c.wants(200, "0123456789"); a.ContentLength != 10 || a.TransferEncoding != nil {
		t.Errorf("Content-Length %d, Transfer-Encoding %q", a.ContentLength, a.TransferEncoding)
	}
	c.goesOn()
}

func invalidContentLengthIsDropped(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", r.Header.Get("X-Length"))
		w.WriteHeader(200)
		io.WriteString(w, "body")
	})
	for _, length := range []string{"abc", "-1", "1 2", "9999999999999999999999"} {
		c := s.dial(t)
		c.send(get("/", "X-Length: "+length))
		if a := c.wants(200, "body"); a.Header.Get("Content-Length") != "" {
			t.Errorf("Content-Length is %q", a.Header.Get("Content-Length"))
		}
		c.goesOn()
		s.log.wants(t, fmt.Sprintf("http: invalid Content-Length of %q", length))
	}
}

func transferEncodingBeatsContentLength(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		w.Header().Set("Transfer-Encoding", "chunked")
		io.WriteString(w, "body")
	})
	c := s.dial(t)
	c.send(get("/"))
	a := c.wants(200, "body")
	if a.ContentLength != -1 || !slices.Equal(a.TransferEncoding, []string{"chunked"}) {
		t.Errorf("Content-Length %d, Transfer-Encoding %q", a.ContentLength, a.TransferEncoding)
	}
	c.goesOn()
	s.log.wants(t, `http: WriteHeader called with both Transfer-Encoding of "chunked" and a Content-Length of 4`)
}

func identityEncodingEndsTheConnection(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Transfer-Encoding", "identity")
		io.WriteString(w, "one ")
		w.(http.Flusher).Flush()
		io.WriteString(w, "two")
	}).dial(t)
	c.send(get("/"))
	h := c.head()
	if strings.Contains(h, "Transfer-Encoding") || strings.Contains(h, "Content-Length") || !strings.Contains(h, "Connection: close\r\n") {
		t.Errorf("header is %q", h)
	}
	if got := c.rest(); got != "one two" {
		t.Errorf("body is %q", got)
	}
}

func http10IsNeverChunked(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/te" {
			w.Header().Set("Transfer-Encoding", "chunked")
		}
		io.WriteString(w, strings.Repeat("x", 10_000))
	})
	for _, target := range []string{"/", "/te"} {
		c := s.dial(t)
		c.send("GET " + target + " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		if h := c.head(); strings.Contains(h, "Transfer-Encoding") || strings.Contains(h, "Content-Length") {
			t.Errorf("header is %q", h)
		}
		if got := c.rest(); got != strings.Repeat("x", 10_000) {
			t.Errorf("body is %.40q", got)
		}
	}
}

func transferEncodingOfTheHandlerIsNotDoubled(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Transfer-Encoding", "chunked")
		io.WriteString(w, "body")
	}).dial(t)
	c.send(get("/"))
	if h := c.head(); strings.Count(h, "Transfer-Encoding: chunked\r\n") != 1 || strings.Contains(h, "Content-Length") {
		t.Errorf("header is %q", h)
	}
	c.bytes("4\r\nbody\r\n0\r\n\r\n")
	c.goesOn()
}
