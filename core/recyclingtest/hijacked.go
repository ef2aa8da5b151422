package recyclingtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// These behaviours are about a ResponseWriter and a body whose connection the handler has hijacked.

var hijackedWriters = []behaviour{
	methodsAnswerAfterHijack,
	methodsAnswerAfterHijackAndTheHandler,
	deadlinesOfAHijackedConnectionAreSetByTheResponseController,
	bodyIsReadOnAfterHijack,
	bodyReadByAnotherGoroutineSurvivesHijack,
}

// hijackedCalls are calls that a handler may make after Hijack, with their results. Flush is not
// among them, because net/http's panics.
var hijackedCalls = []struct {
	name string
	call func(w http.ResponseWriter, r *http.Request) any
	want any
}{
	{"Header", func(w http.ResponseWriter, r *http.Request) any { w.Header().Set("X", "y"); return w.Header().Get("X") }, "y"},
	{"WriteHeader", func(w http.ResponseWriter, r *http.Request) any { w.WriteHeader(500); return nil }, nil},
	{"Write", func(w http.ResponseWriter, r *http.Request) any { return fails(w.Write([]byte("x"))) }, http.ErrHijacked},
	{"Write nothing", func(w http.ResponseWriter, r *http.Request) any { return fails(w.Write(nil)) }, http.ErrHijacked},
	{"WriteString", func(w http.ResponseWriter, r *http.Request) any { return fails(io.WriteString(w, "x")) }, http.ErrHijacked},
	{"Copy", func(w http.ResponseWriter, r *http.Request) any {
		n, err := io.Copy(w, struct{ io.Reader }{strings.NewReader("x")})
		return fails(int(n), err)
	}, http.ErrHijacked},
	{"Hijack", func(w http.ResponseWriter, r *http.Request) any {
		_, _, err := http.NewResponseController(w).Hijack()
		return err
	}, http.ErrHijacked},
	{"SetReadDeadline", func(w http.ResponseWriter, r *http.Request) any {
		return http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Hour))
	}, nil},
	{"SetWriteDeadline", func(w http.ResponseWriter, r *http.Request) any {
		return http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour))
	}, nil},
	{"EnableFullDuplex", func(w http.ResponseWriter, r *http.Request) any {
		return http.NewResponseController(w).EnableFullDuplex()
	}, nil},
	{"CloseNotify", func(w http.ResponseWriter, r *http.Request) any {
		if n, ok := w.(interface{ CloseNotify() <-chan bool }); ok && n.CloseNotify() == nil {
			return "nil"
		}
		return nil
	}, nil},
	{"Close of the body", func(w http.ResponseWriter, r *http.Request) any { return r.Body.Close() }, nil},
}

// fails returns the error of a Write, or says how much was written if there is none.
func fails(n int, err error) any {
	if n != 0 || err == nil {
		return fmt.Sprint(n, " bytes written, ", err)
	}
	return err
}

// callAll makes all hijackedCalls, and returns those with another result.
func callAll(w http.ResponseWriter, r *http.Request) (wrong []string) {
	for _, v := range hijackedCalls {
		got := v.call(w, r)
		want, isErr := v.want.(error)
		if err, ok := got.(error); got != v.want && !(ok && isErr && errors.Is(err, want)) {
			wrong = append(wrong, fmt.Sprintf("%s: %v, want %v", v.name, got, v.want))
		}
	}
	return wrong
}

func methodsAnswerAfterHijack(t *test) {
	for _, elsewhere := range []bool{false, true} {
		result := make(chan []string, 1)
		c := t.serve(func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				result <- []string{err.Error()}
				return
			}
			defer c.Close()
			if elsewhere {
				done := make(chan bool)
				go func() {
					result <- callAll(w, r)
					close(done)
				}()
				<-done
			} else {
				result <- callAll(w, r)
			}
			io.WriteString(c, "raw")
		}).dial(t)
		c.send(get("/"))
		for _, wrong := range receive(t, result, "result") {
			t.Errorf("on another goroutine %v: %s", elsewhere, wrong)
		}
		c.bytes("raw")
		c.ends()
	}
}

// methodsAnswerAfterHijackAndTheHandler: the handler may have passed on the connection, and the
// ResponseWriter with it.
func methodsAnswerAfterHijackAndTheHandler(t *test) {
	if t.target.NoLateWrites && t.target.Strict {
		t.Skip("the router recycles its ResponseWriter")
	}
	type taken struct {
		w http.ResponseWriter
		r *http.Request
		c net.Conn
	}
	handed := make(chan taken, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			handed <- taken{w, r, c}
		}
	}).dial(t)
	c.send(get("/"))
	h := receive(t, handed, "request")
	defer h.c.Close()
	receive(t, h.r.Context().Done(), "end of the handler")
	for _, wrong := range callAll(h.w, h.r) {
		t.Errorf("%s", wrong)
	}
	io.WriteString(h.c, "raw")
	c.bytes("raw")
}

func deadlinesOfAHijackedConnectionAreSetByTheResponseController(t *test) {
	result := make(chan error, 2)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		c, rw, err := rc.Hijack()
		if err != nil {
			result <- err
			return
		}
		defer c.Close()
		rc.SetReadDeadline(time.Unix(1, 0))
		_, err = rw.ReadByte()
		result <- err
		rc.SetWriteDeadline(time.Unix(1, 0))
		_, err = c.Write([]byte("x"))
		result <- err
	}).dial(t)
	c.send(get("/"))
	for range 2 {
		if err := receive(t, result, "end of waiting"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("waiting ended with %v, want ErrDeadlineExceeded", err)
		}
	}
}

// bodyIsReadOnAfterHijack: bytes that the handler reads from the body are not read from the
// connection, and vice versa.
func bodyIsReadOnAfterHijack(t *test) {
	for name, raw := range map[string]string{
		"fixed":     post("/", "0123456789"),
		"chunked":   chunked("/", "012", "3456", "789"),
		"none":      get("/"),
		"in pieces": post("/", "0123456789"),
	} {
		for _, before := range []int{0, 3, 5} {
			t.each(fmt.Sprint(name, before), func(t *test) {
				if name == "in pieces" && !t.target.Strict {
					t.Skip("net/http waits for more bytes by itself at the end of the body")
				}
				result := make(chan string, 1)
				hijacked := make(chan bool, 1)
				c := t.serve(func(w http.ResponseWriter, r *http.Request) {
					defer close(result)
					first := make([]byte, before)
					n, _ := io.ReadFull(r.Body, first)
					c, rw, err := http.NewResponseController(w).Hijack()
					if err != nil {
						return
					}
					defer c.Close()
					hijacked <- true
					rest, err := io.ReadAll(r.Body)
					k, err2 := r.Body.Read(make([]byte, 1))
					after, err3 := rw.ReadString('\n')
					result <- fmt.Sprintf("%s%s %v %d %v %q %v", first[:n], rest, err, k, err2, after, err3)
				}).dial(t)
				if name == "in pieces" {
					c.send(raw[:len(raw)-5])
					receive(t, hijacked, "hijacking")
					c.send(raw[len(raw)-5:])
					c.send("and more\n")
				} else {
					c.send(raw + "and more\n") // net/http has only what it read before Hijack
				}
				want := `0123456789 <nil> 0 EOF "and more\n" <nil>`
				if name == "none" {
					want = want[10:]
				}
				if got := receive(t, result, "result"); got != want {
					t.Errorf("read %s, want %s", got, want)
				}
			})
		}
	}
}

// bodyReadByAnotherGoroutineSurvivesHijack: the read ends, or fails, or panics where that can be
// recovered; it must not end the program.
func bodyReadByAnotherGoroutineSurvivesHijack(t *test) {
	result := make(chan bool, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		begun := make(chan bool)
		go func() {
			defer func() {
				recover()
				result <- true
			}()
			close(begun)
			io.Copy(io.Discard, bufio.NewReader(r.Body))
		}()
		<-begun
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
	})
	c := s.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
	receive(t, result, "end of reading")
	s.dial(t).send(get("/"))
	receive(t, result, "end of reading")
}
