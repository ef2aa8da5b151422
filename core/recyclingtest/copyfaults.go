package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// Copies from sources that panic, exit or block, or that go on when the handler has returned.

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic(http.ErrAbortHandler) }

type exiting struct{}

func (exiting) Read([]byte) (int, error) { runtime.Goexit(); return 0, nil }

// sourceThatPanicsEndsOneConnection: all mutexes are unlocked, for deferred functions as well as
// for other connections.
func sourceThatPanicsEndsOneConnection(t *test) {
	for name, end := range map[string]io.Reader{"panic": panicking{}, "Goexit": exiting{}} {
		for _, n := range []int{0, 5000} {
			t.each(fmt.Sprint(name, n), func(t *test) {
				usable := make(chan bool, 1)
				h := func(w http.ResponseWriter, r *http.Request) {
					if r.RequestURI == "/goes-on" {
						return
					}
					defer func() {
						w.Header().Set("X", "y")
						http.NewResponseController(w).Flush()
						usable <- true
					}()
					if r.RequestURI == "/length" {
						w.Header().Set("Content-Length", "10000")
					}
					io.Copy(w, inOrder(strings.NewReader(pattern(n)), end))
				}
				for _, s := range []*server{t.serve(h), t.hooked(h)} {
					for _, raw := range []string{get("/"), get("/length"), "GET / HTTP/1.0\r\n\r\n"} {
						c := s.dial(t)
						c.send(raw)
						receive(t, usable, "end of what was deferred")
						if got := c.rest(); strings.HasSuffix(got, "\r\n0\r\n\r\n") {
							t.Errorf("the response is complete")
						}
						s.dial(t).goesOn()
					}
				}
			})
		}
	}
}

// responseWriterIsUsableBesideACopy: a source that blocks does not block other calls.
func responseWriterIsUsableBesideACopy(t *test) {
	used := make(chan bool, 1)
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/length" {
			w.Header().Set("Content-Length", "2000")
		}
		g, end := make(gate), make(chan bool)
		go func() {
			defer close(end)
			io.Copy(w, inOrder(strings.NewReader(pattern(1000)), waiting{g}, strings.NewReader(pattern(1000))))
		}()
		rc := http.NewResponseController(w)
		rc.SetWriteDeadline(time.Now().Add(time.Hour))
		if !t.target.NoLateWrites { // which excludes concurrent writes too
			w.Header()
			rc.Flush()
		}
		used <- true
		g.open()
		<-end
	}
	for _, s := range []*server{t.serve(h), t.hooked(h)} {
		for _, target := range []string{"/", "/length"} {
			c := s.dial(t)
			c.send(get(target))
			receive(t, used, "use of the ResponseWriter")
			c.wants(200, pattern(1000)+pattern(1000))
		}
	}
}

// copyAfterTheHandlerEndsNothingElse: the source returns the rest after the handler has returned.
func copyAfterTheHandlerEndsNothingElse(t *test) {
	if t.target.NoLateWrites {
		t.Skip("the next response may be damaged")
	}
	over := make(chan bool, 1)
	gates := make(chan gate, 1)
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/goes-on" {
			return
		}
		g, begun := make(gate), make(chan bool)
		go func() {
			defer func() { over <- true }()
			io.Copy(w, inOrder(strings.NewReader(pattern(1000)), telling{begun}, waiting{g}, strings.NewReader(pattern(1000))))
		}()
		w.Header() // writes that do not need the header may follow
		<-begun
		gates <- g
	}
	for _, s := range []*server{t.serve(h), t.hooked(h)} {
		for _, raw := range []string{get("/"), "GET / HTTP/1.0\r\n\r\n"} {
			c, other := s.dial(t), s.dial(t)
			c.send(raw)
			g := receive(t, gates, "end of the handler")
			if a := c.answer("GET"); !strings.HasPrefix(pattern(1000), a.text) {
				t.Errorf("body is %.100q", a.text)
			}
			g.open()
			receive(t, over, "end of Copy")
			other.goesOn()
			if strings.HasPrefix(raw, "GET / HTTP/1.0") {
				c.ends()
			} else {
				c.goesOn()
			}
		}
	}
}

// A telling reader has no data, and reports when it is read.
type telling struct{ ch chan bool }

func (r telling) Read([]byte) (int, error) {
	close(r.ch)
	return 0, io.EOF
}
