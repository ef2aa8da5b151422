package load

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

func TestLargeAnswersAreCounted(t *testing.T) {
	const size = 100_000
	for name, h := range map[string]http.HandlerFunc{
		"length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(size))
			w.Write(make([]byte, size))
		},
		"chunks": func(w http.ResponseWriter, r *http.Request) {
			for range 10 {
				w.Write(make([]byte, size/10))
			}
		},
	} {
		for _, r := range append([]Request{{Path: "/", Close: true}, {Path: "/", TLS: true, Close: true}}, everyKind...) {
			got := open(t, countOver(t, r.TLS, h).addr, r, 2).Run(t.Context(), 20*time.Millisecond)
			if got.Requests == 0 || got.Bytes != got.Requests*size || got.Errors > 0 {
				t.Errorf("%s, %+v: %d answers with %d bytes, %d errors (%v)", name, r, got.Requests, got.Bytes, got.Errors, got.First)
			}
		}
	}
}

func TestUploadsArriveWhole(t *testing.T) {
	for _, size := range []int{1, 64 << 10, 20 << 20} { // no socket has room for 20 MiB
		for _, r := range append([]Request{{Close: true}}, everyKind...) {
			r.Path, r.Body = "/", size
			c := countOver(t, r.TLS, func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				if err != nil || n != int64(size) || r.Method != "POST" || r.ContentLength != n {
					t.Errorf("%s with %d bytes, %v", r.Method, n, err)
				}
				hey(w, r)
			})
			got := open(t, c.addr, r, 2).Run(t.Context(), time.Millisecond)
			if got.Requests == 0 || got.Requests != c.requests.Load() || got.Errors > 0 {
				t.Errorf("%+v: %d answers of %d requests, %d errors (%v)", r, got.Requests, c.requests.Load(), got.Errors, got.First)
			}
		}
	}
}

// A server that closes the connection in the middle of an upload makes an error, not a long wait.
func TestUploadThatIsRefusedIsAnError(t *testing.T) {
	c := count(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	got := open(t, c.addr, Request{Path: "/", Body: 20 << 20}, 2).Run(t.Context(), time.Millisecond)
	if got.Requests != 0 || got.Errors < 2 || got.First == nil || errors.Is(got.First, errPatience) {
		t.Errorf("%d answers, %d errors (%v)", got.Requests, got.Errors, got.First)
	}
}

// A stream that fails is counted, and those beside it on the same connection go on.
func TestFailedStreamIsCounted(t *testing.T) {
	var all, failed atomic.Int64
	c := countOver(t, true, func(w http.ResponseWriter, r *http.Request) {
		if all.Add(1)%3 == 0 {
			failed.Add(1)
			panic(http.ErrAbortHandler)
		}
		hey(w, r)
	})
	got := open(t, c.addr, Request{Path: "/", Streams: 5}, 1).Run(t.Context(), 50*time.Millisecond)
	if got.Errors == 0 || got.Errors != failed.Load() || got.Requests != all.Load()-failed.Load() || got.First == nil {
		t.Errorf("%d answers, %d errors (%v); %d of %d failed", got.Requests, got.Errors, got.First, failed.Load(), all.Load())
	}
	if c.conns.Load() != 1 {
		t.Errorf("%d connections, want 1", c.conns.Load())
	}
}

// A connection of HTTP/2 that ends is replaced.
func TestConnectionOfStreamsIsReplaced(t *testing.T) {
	c := countOver(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // net/http sends GOAWAY
		hey(w, r)
	})
	l := open(t, c.addr, Request{Path: "/", Streams: 1}, 1)
	for range 3 {
		if err := l.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if c.conns.Load() < 2 {
		t.Errorf("%d connections, want more than one", c.conns.Load())
	}
}

// A server that speaks only HTTP/1.1 over TLS is an error, not a figure of HTTP/1.1.
func TestStreamsAreOnlyHTTP2(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(hey))
	defer s.Close()
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	got := open(t, s.Listener.Addr().String(), Request{Path: "/", Streams: 2}, 1).Run(t.Context(), time.Millisecond)
	if got.Requests != 0 || got.Errors == 0 {
		t.Errorf("%d answers, %d errors", got.Requests, got.Errors)
	}
}
