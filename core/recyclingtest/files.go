package recyclingtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing/iotest"
	"time"
)

var files = []behaviour{
	responseWriterIsAReaderFrom,
	fileIsCopiedToTheResponse,
	copyAfterWriteKeepsTheOrder,
	copyIsSniffed,
	copyToHeadSendsNothing,
	copyReportsTheErrorOfItsSource,
	copyFromSlowSourceEnds,
	fileIsServed,
	fileServerServesADirectory,
	rangesAreServed,
	conditionsAreServed,
	contentIsServedToHead,
	rangesOfLargeFilesAreServed,
	notModifiedHasNoBodyAndNoType,
}

// file creates a file of n bytes and returns its path and content.
func (t *test) file(n int) (name, content string) {
	t.Helper()
	name, content = filepath.Join(t.TempDir(), "file.txt"), pattern(n)
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	return name, content
}

func responseWriterIsAReaderFrom(t *test) {
	ok := make(chan bool, 1)
	t.serve(func(w http.ResponseWriter, r *http.Request) {
		_, is := w.(io.ReaderFrom)
		ok <- is
	}).dial(t).exchange(get("/"))
	if !receive(t, ok, "request") {
		t.Errorf("the ResponseWriter is not an io.ReaderFrom")
	}
}

func fileIsCopiedToTheResponse(t *test) {
	for _, size := range []int{0, 1, 511, 512, 513, 2048, 4096, 100_000, 3 << 20} {
		t.each(fmt.Sprint(size), func(t *test) {
			name, content := t.file(size)
			result := make(chan error, 1)
			c := t.serve(func(w http.ResponseWriter, r *http.Request) {
				f, err := os.Open(name)
				if err != nil {
					result <- err
					return
				}
				defer f.Close()
				if r.RequestURI == "/length" {
					w.Header().Set("Content-Length", fmt.Sprint(size))
				}
				n, err := io.Copy(w, f)
				if n != int64(size) {
					err = fmt.Errorf("copied %d bytes, %v", n, err)
				}
				result <- err
			}).dial(t)
			for _, raw := range []string{
				get("/"),
				get("/length"),
				"GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
				get("/"),
				"GET / HTTP/1.0\r\n\r\n",
			} {
				c.send(raw)
				if a := c.answer("GET"); a.text != content || a.err != nil {
					t.Errorf("%q: body of %d bytes, %v; want %d bytes", raw, len(a.text), a.err, size)
				}
				if err := receive(t, result, "result of Copy"); err != nil {
					t.Errorf("%q: %v", raw, err)
				}
			}
		})
	}
}

func copyAfterWriteKeepsTheOrder(t *test) {
	name, content := t.file(100_000)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(name)
		if err != nil {
			return
		}
		defer f.Close()
		if r.RequestURI == "/length" {
			w.Header().Set("Content-Length", "100010")
		}
		io.WriteString(w, "begin")
		io.Copy(w, f)
		io.WriteString(w, "e")
		io.Copy(w, strings.NewReader("nd"))
		io.Copy(w, io.LimitReader(f, 5))
		io.WriteString(w, ".\n")
	}).dial(t)
	for _, target := range []string{"/", "/length"} {
		c.send(get(target))
		c.wants(200, "begin"+content+"end.\n")
	}
}

func copyIsSniffed(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, strings.NewReader("<html>"+strings.Repeat("x", 5000)))
	}).dial(t)
	if a := c.exchange(get("/")); a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("Content-Type is %q", a.Header.Get("Content-Type"))
	}
}

func copyToHeadSendsNothing(t *test) {
	name, _ := t.file(100_000)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(name)
		if err != nil {
			return
		}
		defer f.Close()
		w.Header().Set("Content-Length", "100000")
		io.Copy(w, f)
	}).dial(t)
	if a := c.exchange(request("HEAD", "/")); a.ContentLength != 100_000 {
		t.Errorf("Content-Length is %d", a.ContentLength)
	}
	a := c.exchange(get("/"))
	if len(a.text) != 100_000 || a.err != nil {
		t.Errorf("next body of %d bytes, %v", len(a.text), a.err)
	}
}

func copyReportsTheErrorOfItsSource(t *test) {
	broken := errors.New("broken source")
	result := make(chan error, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(w, io.MultiReader(strings.NewReader("text"), iotest.ErrReader(broken)))
		result <- err
	}).dial(t)
	c.send(get("/"))
	if err := receive(t, result, "result of Copy"); !errors.Is(err, broken) {
		t.Errorf("Copy: %v, want the source's error", err)
	}
	c.wants(200, "text")
}

func copyFromSlowSourceEnds(t *test) {
	source, sink := io.Pipe()
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, source)
	}).dial(t)
	defer source.Close()
	go func() {
		for range 100 {
			io.WriteString(sink, strings.Repeat("x", 100))
		}
		sink.Close()
	}()
	c.send(get("/"))
	c.wants(200, strings.Repeat("x", 10_000))
	c.goesOn()
}

func fileIsServed(t *test) {
	name, content := t.file(2 << 20)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }).dial(t)
	for range 2 {
		c.send(get("/"))
		a := c.wants(200, content)
		if a.ContentLength != 2<<20 || a.Header.Get("Last-Modified") == "" || a.Header.Get("Accept-Ranges") != "bytes" ||
			a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("header is %v", a.Header)
		}
	}
	if a := c.exchange(request("HEAD", "/")); a.ContentLength != 2<<20 {
		t.Errorf("Content-Length of HEAD is %d", a.ContentLength)
	}
	c.goesOn()
}

func fileServerServesADirectory(t *test) {
	name, content := t.file(1000)
	c := t.start(&http.Server{Handler: http.FileServer(http.Dir(filepath.Dir(name)))}).dial(t)
	c.send(get("/file.txt"))
	c.wants(200, content)
	if a := c.exchange(get("/")); a.StatusCode != 200 || !strings.Contains(a.text, `<a href="file.txt">file.txt</a>`) {
		t.Errorf("directory is %d %q", a.StatusCode, a.text)
	}
	c.send(get("/missing"))
	c.wants(404, "404 page not found\n")
}

// serveContent serves 26 letters as a file that has a modification time and an ETag.
func serveContent(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", `"v1"`)
	http.ServeContent(w, r, "letters.txt", time.Unix(1e9, 0), strings.NewReader("abcdefghijklmnopqrstuvwxyz"))
}

func rangesAreServed(t *test) {
	c := t.serve(serveContent).dial(t)
	for value, want := range map[string]string{
		"bytes=0-0":    "a bytes 0-0/26",
		"bytes=2-4":    "cde bytes 2-4/26",
		"bytes=20-":    "uvwxyz bytes 20-25/26",
		"bytes=-3":     "xyz bytes 23-25/26",
		"bytes=25-999": "z bytes 25-25/26",
	} {
		a := c.exchange(get("/", "Range: "+value))
		if got := a.text + " " + a.Header.Get("Content-Range"); a.StatusCode != 206 || got != want {
			t.Errorf("Range %s: %d %s, want %s", value, a.StatusCode, got, want)
		}
	}
	two := get("/", "Range: bytes=0-1,24-25")
	a, b := c.exchange(two), t.control().serve(serveContent).dial(t).exchange(two)
	if got, want := a.parts(), b.parts(); got != want {
		t.Errorf("two ranges: %q, want %q", got, want)
	}
	if a := c.exchange(get("/", "Range: bytes=100-")); a.StatusCode != 416 || a.Header.Get("Content-Range") != "bytes */26" {
		t.Errorf("Range bytes=100-: %d, %v", a.StatusCode, a.Header)
	}
	c.goesOn()
}

// parts returns the parts of a multipart response, or the body of any other. Whether two ranges are
// served as multipart depends on the version of Go and on GODEBUG.
func (a *answer) parts() string {
	_, boundary, ok := strings.Cut(a.Header.Get("Content-Type"), "boundary=")
	text := a.text
	if ok {
		text = strings.ReplaceAll(text, boundary, "boundary")
	}
	return fmt.Sprint(a.StatusCode, " ", text, " ", a.err)
}

func conditionsAreServed(t *test) {
	c := t.serve(serveContent).dial(t)
	for header, want := range map[string]int{
		"If-None-Match: \"v1\"":                              304,
		"If-None-Match: \"v2\"":                              200,
		"If-Match: \"v2\"":                                   412,
		"If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT":   304,
		"If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT":   200,
		"If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT": 412,
		"If-Range: \"v1\"\r\nRange: bytes=0-0":               206,
		"If-Range: \"v2\"\r\nRange: bytes=0-0":               200,
	} {
		a := c.exchange(get("/", header))
		if a.StatusCode != want || a.err != nil {
			t.Errorf("%s: %d %v, want %d", header, a.StatusCode, a.err, want)
		}
	}
}

func contentIsServedToHead(t *test) {
	c := t.serve(serveContent).dial(t)
	for header, want := range map[string]struct {
		status int
		length int64
	}{
		"X: y":                  {200, 26},
		"Range: bytes=2-4":      {206, 3},
		"Range: bytes=100-":     {416, 33},
		"If-None-Match: \"v1\"": {304, -1},
		"If-Match: \"v2\"":      {412, -1},
	} {
		a := c.exchange(request("HEAD", "/", header))
		if a.StatusCode != want.status || a.text != "" || want.length >= 0 && a.ContentLength != want.length {
			t.Errorf("%s: %s, Content-Length %d, body %q", header, a.Status, a.ContentLength, a.text)
		}
	}
	c.goesOn()
}

func rangesOfLargeFilesAreServed(t *test) {
	name, content := t.file(3 << 20)
	h := func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }
	c := t.serve(h).dial(t)
	for _, r := range [][2]int{{0, 0}, {0, 3<<20 - 1}, {1, 600}, {511, 2 << 20}, {1 << 20, 3<<20 - 1}} {
		c.send(get("/", fmt.Sprintf("Range: bytes=%d-%d", r[0], r[1])))
		a := c.wants(206, content[r[0]:r[1]+1])
		if want := fmt.Sprintf("bytes %d-%d/%d", r[0], r[1], 3<<20); a.Header.Get("Content-Range") != want {
			t.Errorf("Content-Range is %q, want %q", a.Header.Get("Content-Range"), want)
		}
	}
	two := get("/", "Range: bytes=0-9,2000000-2000009")
	a, b := c.exchange(two), t.control().serve(h).dial(t).exchange(two)
	if got, want := a.parts(), b.parts(); got != want {
		t.Errorf("two ranges: %.300q, want %.300q", got, want)
	}
	c.goesOn()
}

func notModifiedHasNoBodyAndNoType(t *test) {
	c := t.serve(serveContent).dial(t)
	a := c.exchange(get("/", "If-None-Match: \"v1\""))
	if a.StatusCode != 304 || a.text != "" || a.Header.Get("Etag") != `"v1"` || a.Header.Get("Date") == "" {
		t.Errorf("%s, body %q, header %v", a.Status, a.text, a.Header)
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Transfer-Encoding"} {
		if _, ok := a.Header[name]; ok {
			t.Errorf("%s is %q", name, a.Header[name])
		}
	}
	c.goesOn()
}
