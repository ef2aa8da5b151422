package recycling_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// A callingLog calls a function with each line.
type callingLog func(line string)

func (f callingLog) Write(p []byte) (int, error) { f(string(p)); return len(p), nil }

// complaints are errors of handlers that the server logs.
var complaints = map[string]func(w http.ResponseWriter){
	"second status":  func(w http.ResponseWriter) { w.WriteHeader(200); w.WriteHeader(500) },
	"invalid length": func(w http.ResponseWriter) { w.Header().Set("Content-Length", "x"); w.WriteHeader(200) },
	"invalid length at the end": func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "x")
	},
	"coding and length": func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1")
		w.Header().Set("Transfer-Encoding", "x")
		http.NewResponseController(w).Flush()
	},
	"coding and length at the end": func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1")
		w.Header().Set("Transfer-Encoding", "x")
		io.WriteString(w, "x")
	},
}

// The log's writer may use the ResponseWriter: no mutex is held while it is called.
func TestErrorLogMayUseTheResponseWriter(t *testing.T) {
	parallel(t)
	for name, complain := range complaints {
		forEach(t, workerModes, func(t *testing.T, m mode) {
			var current http.ResponseWriter
			var lines atomic.Int64
			h := &http.Server{ErrorLog: log.New(callingLog(func(string) {
				current.Header().Get("X")
				current.(http.Flusher).Flush()
				lines.Add(1)
			}), "", 0)}
			s := m.start(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) {
				current = w
				complain(w)
			})
			c := s.dial(t)
			c.send("%s", strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
			io.ReadAll(c)
			if n := lines.Load(); n != 1 {
				t.Errorf("%s: logged %d times", name, n)
			}
		})
	}
}

// A panic or Goexit of the log's writer ends one connection.
func TestPanicOfErrorLogEndsOneConnection(t *testing.T) {
	parallel(t)
	for name, complain := range complaints {
		for how, end := range map[string]func(){"panic": func() { panic("log") }, "Goexit": runtime.Goexit} {
			forEach(t, workerModes, func(t *testing.T, m mode) {
				usable := make(chan bool, 9)
				h := &http.Server{ErrorLog: log.New(callingLog(func(line string) {
					if !strings.Contains(line, "panic serving") {
						end()
					}
				}), "", 0)}
				s := m.start(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/fine" {
						return
					}
					defer func() {
						w.Header().Set("X", "y")
						usable <- true
					}()
					complain(w)
				})
				c := s.dial(t)
				c.send(get)
				receive(t, usable, name+", "+how+": end of the handler")
				io.ReadAll(c)
				s.dial(t).get("/fine")
				s.await(t, "the connection's end", func(st recycling.Stats) bool { return st.Open <= 1 })
			})
		}
	}
}

// A badConn panics in the given method, once it is told to.
type badConn struct {
	net.Conn
	method string
	armed  *atomic.Bool
	end    func()
}

func (c badConn) at(method string) {
	if method == c.method && c.armed.Load() {
		c.end()
	}
}

func (c badConn) Write(p []byte) (int, error) { c.at("Write"); return c.Conn.Write(p) }
func (c badConn) Close() error                { c.Conn.Close(); c.at("Close"); return nil }
func (c badConn) CloseWrite() error           { c.at("CloseWrite"); return errors.ErrUnsupported }

func (c badConn) ReadFrom(r io.Reader) (int64, error) {
	c.at("ReadFrom")
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

type badListener struct {
	net.Listener
	badConn
}

func (l badListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	bad := l.badConn
	bad.Conn = c
	return bad, nil
}

func (l badListener) Close() error { return l.Listener.Close() }

// A panic or Goexit in a method of the application's own net.Conn ends that connection, is logged
// once, and leaves the ResponseWriter usable for deferred functions.
func TestPanicOfANetConnWhileAnsweringEndsOneConnection(t *testing.T) {
	parallel(t)
	for _, method := range []string{"Write", "ReadFrom", "Close", "CloseWrite"} {
		for how, end := range map[string]func(){"panic": func() { panic("bad conn") }, "Goexit": runtime.Goexit} {
			t.Run(fmt.Sprint(method, " ", how), func(t *testing.T) {
				armed := new(atomic.Bool)
				wrap := func(l net.Listener) net.Listener {
					return badListener{l, badConn{method: method, armed: armed, end: end}}
				}
				forEach(t, []mode{recyclingNet.on("-bad", wrap), poolOwn.on("-bad", wrap)}, func(t *testing.T, m mode) {
					var mu sync.Mutex
					panics := 0
					h := &http.Server{ErrorLog: log.New(callingLog(func(line string) {
						mu.Lock()
						defer mu.Unlock()
						panics += strings.Count(line, "panic serving")
					}), "", 0)}
					usable := make(chan bool, 9)
					s := m.start(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/fine" {
							return
						}
						armed.Store(true)
						defer func() {
							w.Header().Get("X")
							usable <- true
						}()
						w.Header().Set("Content-Length", "5000")
						w.Header().Set("Connection", "close")
						io.Copy(w, struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 5000))})
					})
					c := s.dial(t)
					c.send(get)
					receive(t, usable, "end of the handler")
					io.ReadAll(c)
					c.Close()
					want := map[string]int{"panic": 1, "Goexit": 0}[how]
					s.await(t, "the connection's end", func(st recycling.Stats) bool {
						mu.Lock()
						defer mu.Unlock()
						return st.Open == 0 && panics >= want // the panic of Close comes after that
					})
					armed.Store(false)
					s.dial(t).get("/fine")
					mu.Lock()
					defer mu.Unlock()
					if panics != want {
						t.Errorf("%d panics were logged, want %d", panics, want)
					}
				})
			})
		}
	}
}
