package recyclingtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

// These behaviours are about io.Copy to the ResponseWriter, from all kinds of sources.

var copies = []behaviour{
	copyIsTheSameWhateverTheSource,
	copyFromASlowSourceArrivesAtOnce,
	copyLeavesAFileToTheKernel,
	copyBeyondTheContentLengthIsReported,
	copyOfAFileTakesUpWhereItWas,
	sourceThatPanicsEndsOneConnection,
	responseWriterIsUsableBesideACopy,
	copyAfterTheHandlerEndsNothingElse,
}

// A copied is the result of io.Copy in a handler.
type copied struct {
	n    int64
	err  error
	want source
	left int64 // bytes left of an io.LimitedReader

	stops bool // Copy may have stopped at the Content-Length
}

// hooked starts a server with a hook that gets the connections, so that they are not bare
// descriptors.
func (t *test) hooked(h http.HandlerFunc) *server {
	return t.start(&http.Server{Handler: h, ConnState: func(net.Conn, http.ConnState) {}})
}

func copyIsTheSameWhateverTheSource(t *test) {
	for _, kind := range sources {
		t.each(kind.name, func(t *test) {
			result := make(chan copied, 1)
			h := func(w http.ResponseWriter, r *http.Request) {
				src := kind.open(t, w)
				if src.Reader == nil {
					result <- copied{want: src}
					return
				}
				if strings.Contains(r.URL.RawQuery, "length") {
					w.Header().Set("Content-Length", fmt.Sprint(len(src.content)))
				}
				c := copied{want: src}
				// If a source fails after its content, Copy need not read beyond Content-Length to
				// find out, except for sniffing.
				c.stops = gohttp.CopyStopsAtLength && strings.Contains(r.URL.RawQuery, "length") && len(src.content) > 512
				if strings.Contains(r.URL.RawQuery, "limit") {
					limited := &io.LimitedReader{R: src.Reader, N: 1 << 40}
					c.n, c.err = io.Copy(w, limited)
					c.left = 1<<40 - limited.N
				} else {
					c.n, c.err = io.Copy(w, src.Reader)
					c.left = c.n
				}
				result <- c
			}
			for _, s := range []*server{t.serve(h), t.hooked(h)} {
				c := s.dial(t)
				for _, raw := range []string{
					get("/?"), get("/?limit"), get("/?length"), get("/?length,limit"),
					"GET /?length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
					"GET /?length,limit HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
					"GET /? HTTP/1.0\r\n\r\n",
				} {
					c.send(raw)
					a := c.answer("GET")
					got := receive(t, result, "result of Copy")
					if got.want.Reader == nil {
						t.Skip("there is none on this system")
					}
					if got.n != int64(len(got.want.content)) || got.left != got.n || !errors.Is(got.err, got.want.err) && !(got.stops && got.err == nil) {
						t.Errorf("%q: Copy has returned %d (by the limit %d), %v; want %d, %v", raw, got.n, got.left, got.err, len(got.want.content), got.want.err)
					}
					if a.err != nil || a.text != got.want.content {
						t.Errorf("%q: body of %d bytes, %v; want %d", raw, len(a.text), a.err, len(got.want.content))
					}
				}
				c.ends()
			}
		})
	}
}

// direct reports whether net/http copies to the connection directly, if the framing allows that.
func direct(w http.ResponseWriter, r *http.Request) bool {
	_, ok := w.(io.ReaderFrom)
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && addr.Network() == "tcp"
}

// copyFromASlowSourceArrivesAtOnce: a response that needs no framing is not held back, once it is
// long enough for sniffing.
func copyFromASlowSourceArrivesAtOnce(t *test) {
	for _, hooked := range []bool{false, true} {
		for _, raw := range []string{get("/"), "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"} {
			t.each(fmt.Sprint(raw[6:14], hooked), func(t *test) {
				var g gate
				here := make(chan bool, 1)
				h := func(w http.ResponseWriter, r *http.Request) {
					here <- direct(w, r)
					w.Header().Set("Content-Length", "2000")
					io.Copy(w, inOrder(strings.NewReader(pattern(1000)), waiting{g}, strings.NewReader(pattern(1000))))
				}
				s := t.serve(h)
				if hooked {
					s = t.hooked(h)
				}
				g = t.newGate()
				c := s.dial(t)
				c.send(raw)
				if !receive(t, here, "request") {
					t.Skip("the bytes go through a buffer")
				}
				c.head()
				c.bytes(pattern(1000))
				g.open()
				c.bytes(pattern(1000))
				c.goesOnAfter(here)
			})
		}
	}
}

// goesOnAfter receives what the handler of another request sends to ch.
func (c *wire) goesOnAfter(ch <-chan bool) {
	c.t.Helper()
	c.send(get("/"))
	c.head()
	receive(c.t, ch, "next request")
}

// inOrder is io.MultiReader without its method WriteTo.
func inOrder(readers ...io.Reader) io.Reader { return struct{ io.Reader }{io.MultiReader(readers...)} }

// A waiting reader returns the end of the file once the gate opens.
type waiting struct{ g gate }

func (w waiting) Read([]byte) (int, error) {
	<-w.g
	return 0, io.EOF
}

// A countingFile counts how often it is read.
type countingFile struct {
	*os.File
	reads *atomic.Int64
}

func (f countingFile) Read(p []byte) (int, error) {
	f.reads.Add(1)
	return f.File.Read(p)
}

// WriteTo hides that of *os.File, as package os does itself.
func (f countingFile) WriteTo() {}

// copyLeavesAFileToTheKernel: io.Copy hides the type *os.File from the ResponseWriter, but not the
// descriptor.
func copyLeavesAFileToTheKernel(t *test) {
	if runtime.GOOS != "linux" {
		t.Skip("not on this system")
	}
	name, content := t.file(sourceSize)
	reads := make(chan int64, 1)
	h := func(w http.ResponseWriter, r *http.Request) {
		f := countingFile{t.open(name), new(atomic.Int64)}
		w.Header().Set("Content-Length", fmt.Sprint(sourceSize))
		if r.RequestURI == "/limit" {
			io.CopyN(w, f, sourceSize)
		} else {
			io.Copy(w, f)
		}
		n := f.reads.Load()
		if !direct(w, r) {
			n = -1
		}
		reads <- n
	}
	for _, s := range []*server{t.serve(h), t.hooked(h)} {
		c := s.dial(t)
		for _, target := range []string{"/", "/limit"} {
			c.send(get(target))
			c.wants(200, content)
			switch n := receive(t, reads, "number of reads"); {
			case n < 0:
				t.Skip("the bytes go through a buffer")
			case n > 1 && target == "/limit" || n > 2: // for sniffing; net/http looks for the end
				t.Errorf("%s: the file was read %d times", target, n)
			}
		}
	}
}

// copyBeyondTheContentLengthIsReported: bytes beyond the Content-Length are not sent, and Copy
// fails. Before Go 1.27 that holds only if they were buffered; otherwise the connection is closed.
func copyBeyondTheContentLengthIsReported(t *test) {
	for _, length := range []int{100, 600, 2000} {
		t.each(fmt.Sprint(length), func(t *test) {
			result, here := make(chan copied, 1), make(chan bool, 1)
			h := func(w http.ResponseWriter, r *http.Request) {
				here <- direct(w, r)
				w.Header().Set("Content-Length", fmt.Sprint(length))
				n, err := io.Copy(w, inOrder(strings.NewReader(pattern(1000))))
				result <- copied{n: n, err: err}
			}
			for _, s := range []*server{t.serve(h), t.hooked(h)} {
				c := s.dial(t)
				c.send(get("/"))
				if !receive(t, here, "request") {
					t.Skip("the bytes go through a buffer")
				}
				got, want := receive(t, result, "result of Copy"), copied{n: 1000}
				switch {
				case length == 100: // the 512 bytes for sniffing
					want = copied{n: 0, err: http.ErrContentLength}
				case length == 600 && gohttp.CopyStopsAtLength:
					want = copied{n: 600, err: http.ErrContentLength}
				}
				if got.n != want.n || !errors.Is(got.err, want.err) {
					t.Errorf("Copy has returned %d, %v; want %d, %v", got.n, got.err, want.n, want.err)
				}
				c.head()
				if length == 600 && gohttp.CopyStopsAtLength {
					c.bytes(pattern(600))
					c.goesOnAfter(here)
					receive(t, result, "result of another Copy")
					continue
				}
				if body := c.rest(); length > 1000 && body != pattern(1000) || length == 100 && body != "" {
					t.Errorf("%d bytes of body", len(body))
				}
			}
		})
	}
}

func copyOfAFileTakesUpWhereItWas(t *test) {
	name, content := t.file(sourceSize)
	offset := make(chan int64, 1)
	h := func(w http.ResponseWriter, r *http.Request) {
		f := t.open(name)
		w.Header().Set("Content-Length", "70000")
		f.Seek(10_000, io.SeekStart)
		io.CopyN(w, f, 30_000)
		io.CopyN(w, f, 20_000)
		f.Seek(-20_000, io.SeekEnd)
		io.Copy(w, f)
		n, _ := f.Seek(0, io.SeekCurrent)
		offset <- n
	}
	for _, s := range []*server{t.serve(h), t.hooked(h)} {
		c := s.dial(t)
		c.send(get("/"))
		c.wants(200, content[10_000:60_000]+content[80_000:])
		if n := receive(t, offset, "offset"); n != sourceSize {
			t.Errorf("offset of the file is %d afterwards", n)
		}
		c.goesOnAfterOffset(offset)
	}
}

// goesOnAfterOffset is goesOn for a handler that sends its offset to ch.
func (c *wire) goesOnAfterOffset(ch <-chan int64) {
	c.t.Helper()
	c.goesOn()
	receive(c.t, ch, "offset")
}
