package http1

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/internal/park"
)

// An alone is the scheduler of a test that has one worker and serves one connection at a time.
type alone struct{ ended func() }

func (alone) Admit(*Conn) bool             { return true }
func (alone) AdmitAddr(*Conn) bool         { return true }
func (alone) Crowded() bool                { return false }
func (alone) Stay(*Conn) bool              { return false }
func (alone) Stayed(*Conn, bool)           {}
func (alone) Reserve(*Conn) bool           { return false }
func (alone) Enqueue(*Conn)                { panic("there is no other worker") }
func (alone) Requeue(*Conn)                { panic("there is no other worker") }
func (alone) StartHandshake(*Conn, []byte) { panic("there is no TLS") }

func (a alone) Ended(*Conn) {
	if a.ended != nil {
		a.ended()
	}
}

// serveOn has w serve a connection with this input, and returns what was written to it.
func serveOn(t *testing.T, w *Worker, input string) string {
	t.Helper()
	nc, over := newMemConn([]byte(input), nil)
	serveConn(t, w, nc)
	<-over
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.out.String()
}

func serveConn(t *testing.T, w *Worker, nc net.Conn) {
	t.Helper()
	set, err := park.NewSet(park.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	c := &Conn{Scheduler: alone{}}
	c.Init(&ListenerConfig{Server: w.srv, Context: context.Background()})
	set.Add(&c.Conn, nc)
	w.Serve(c)
}

// A waitedConn counts the Reads during which its worker holds writers.
type waitedConn struct {
	*memConn
	w           *Worker
	reads, held int
}

func (c *waitedConn) Read(p []byte) (int, error) {
	c.reads++
	if c.w.writers != nil {
		c.held++
	}
	if c.reads == 3 {
		panic("a fault of the application's net.Conn")
	}
	return c.memConn.Read(p)
}

func TestWorkerThatWaitsForItsConnectionHoldsNoWriters(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet}})
	nc, over := newMemConn([]byte(get+get), []byte{byte(len(get) - 1)})
	c := &waitedConn{memConn: nc, w: w}
	serveConn(t, w, c)
	<-over
	if c.reads != 3 || c.held > 0 {
		t.Errorf("%d of %d reads found writers", c.held, c.reads)
	}
	if n := strings.Count(nc.out.String(), "404 Not Found"); n != 2 {
		t.Errorf("%d responses, want 2", n)
	}
	if got := serveOn(t, w, get); !strings.Contains(got, "404 Not Found") {
		t.Errorf("after a panic of Read, the next connection got %q", got)
	}
}

// A goroutine that reads the body may be about to send "100 Continue" when the handler returns. By
// then the worker serves another connection.
func TestContinueIsNotSentAfterTheHandler(t *testing.T) {
	const expecting = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"
	for name, handler := range map[string]http.HandlerFunc{
		"101":        func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) },
		"103":        func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusEarlyHints) },
		"200":        func(w http.ResponseWriter, r *http.Request) {},
		"no content": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"panic": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var late *response
			w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet}})
			w.srv.HTTP.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == "GET" {
					late.sendContinue()
					return
				}
				late = rw.(*response)
				handler(rw, r)
			})
			serveOn(t, w, expecting)
			if late.canContinue.Load() {
				t.Error("it may still be sent")
			}
			if got := serveOn(t, w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); strings.Contains(got, "100 Continue") {
				t.Errorf("the next connection got %q", got)
			}
		})
	}
}

// Another protocol follows the header of 101.
func TestContinueIsNotSentAfterTheHeaderOf101(t *testing.T) {
	w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet}})
	w.srv.HTTP.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusSwitchingProtocols)
		rw.(http.Flusher).Flush()
		r.Body.Read(make([]byte, 3))
	})
	got := serveOn(t, w, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")
	if strings.Contains(got, "100 Continue") {
		t.Errorf("the client got %q", got)
	}
}
