package recyclingtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// These behaviours are about handlers that keep what they were given and use it at any time after
// they have returned. Such calls return errors and the values of the handler's own request, and do
// not affect other requests. Under the race detector, the server must not touch what a handler may
// keep.

var retention = []behaviour{
	keptRequestKeepsItsValues,
	keptBodyFails,
	keptHeadersMayBeChanged,
	keptWriterDisturbsNobody,
	keptContextStaysEnded,
}

// beside sends rounds of requests on several connections until stop is closed, and reports each
// response that is not exactly as expected.
func (s *server) beside(t *test, stop <-chan struct{}) (wait func()) {
	t.Helper()
	var all sync.WaitGroup
	bad := make(chan string, 1000)
	for i := range 4 {
		all.Go(func() {
			c, err := s.connect()
			if err != nil {
				bad <- err.Error()
				return
			}
			defer c.Close()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				canary := fmt.Sprintf("canary-%d-%d-", i, n) + pattern(n%3000)
				got, err := c.roundTrip(post("/beside", canary))
				if want := "/beside " + canary + " <nil>"; got != want || err != nil {
					bad <- fmt.Sprintf("%.100q, %v; want %.100q", got, err, want)
					return
				}
			}
		})
	}
	return func() {
		t.Helper()
		all.Wait()
		close(bad)
		for s := range bad {
			t.Errorf("a connection beside was disturbed: %s", s)
		}
	}
}

// keptRequestKeepsItsValues: a server that recycles buffers must not use their memory for strings.
func keptRequestKeepsItsValues(t *test) {
	type kept struct {
		i int
		r *http.Request
		w http.ResponseWriter
	}
	describe := func(r *http.Request) string {
		return fmt.Sprint(r.Method, r.RequestURI, r.URL, r.Host, r.RemoteAddr, r.Proto, r.Header, r.Trailer, r.PostForm,
			r.ContentLength, r.TransferEncoding, r.Close, r.Cookies(), r.PathValue("name"), r.Pattern, r.UserAgent())
	}
	var mu sync.Mutex
	var all []kept
	first := make(map[int]string)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{name}", func(w http.ResponseWriter, r *http.Request) {
		var i int
		fmt.Sscan(r.Header.Get("X-Number"), &i)
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), 500)
		}
		w.Header().Set("X-Number", r.Header.Get("X-Number"))
		mu.Lock()
		defer mu.Unlock()
		all = append(all, kept{i, r, w})
		first[i] = describe(r)
	})
	s := t.start(&http.Server{Handler: mux})
	c1, c2 := s.dial(t), s.dial(t)
	const n = 200
	for i := range n {
		form := fmt.Sprintf("a=%d&b=%s", i, strings.Repeat("x", i))
		raw := request("POST", fmt.Sprintf("/name-%d?q=%d", i, i), fmt.Sprint("X-Number: ", i), fmt.Sprintf("Cookie: c=cookie-%d", i),
			"Content-Type: application/x-www-form-urlencoded", fmt.Sprintf("User-Agent: agent-%d", i), "Trailer: X-Last", "Transfer-Encoding: chunked") +
			inChunks(form) + fmt.Sprintf("0\r\nX-Last: %d\r\n\r\n", i)
		raw = strings.Replace(raw, "example.test", fmt.Sprintf("host-%d.test", i), 1)
		if a := c1.exchange(raw); a.StatusCode != 200 {
			t.Fatalf("%d %s", a.StatusCode, a.text)
		}
		c2.exchange(get("/" + strings.Repeat("x!", i+1)))
	}
	mu.Lock()
	defer mu.Unlock()
	if len(all) != n {
		t.Fatalf("%d requests reached the handler", len(all))
	}
	objects := make(map[*http.Request]bool)
	for _, k := range all {
		if got := describe(k.r); got != first[k.i] {
			t.Fatalf("request %d has become %s, was %s", k.i, got, first[k.i])
		}
		if got := k.w.Header().Get("X-Number"); got != fmt.Sprint(k.i) {
			t.Fatalf("response header of request %d has become %s", k.i, got)
		}
		objects[k.r] = true
	}
	if len(objects) != n {
		t.Errorf("%d requests were %d objects", n, len(objects))
	}
}

func keptBodyFails(t *test) {
	kept := make(chan io.ReadCloser, 1)
	stop := make(chan struct{})
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/beside" {
			echoBody(w, r)
			return
		}
		if r.RequestURI == "/half" {
			io.ReadFull(r.Body, make([]byte, 10))
		}
		kept <- r.Body
	})
	wait := s.beside(t, stop)
	c := s.dial(t)
	for range 20 {
		for _, raw := range []string{post("/unread", pattern(1000)), post("/half", pattern(1000)), chunked("/half", pattern(1000))} {
			c.exchange(raw)
			body := receive(t, kept, "request")
			var use sync.WaitGroup
			for range 3 {
				use.Go(func() {
					if n, err := body.Read(make([]byte, 100)); n != 0 || err == nil {
						t.T.Errorf("Read of a body after its handler: %d, %v", n, err)
					}
					body.Close()
				})
			}
			c.send(post("/beside", "next"))
			c.wants(200, "/beside next <nil>")
			use.Wait()
		}
	}
	close(stop)
	wait()
}

func keptHeadersMayBeChanged(t *test) {
	type kept struct{ request, response http.Header }
	headers := make(chan kept, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Own", r.Header.Get("X-Own"))
		headers <- kept{r.Header, w.Header()}
	}).dial(t)
	var change sync.WaitGroup
	for i := range 100 {
		own := fmt.Sprint(i)
		if a := c.exchange(get("/", "X-Own: "+own)); a.Header.Get("X-Own") != own || len(a.Header) != 3 {
			t.Fatalf("header of response %d is %v", i, a.Header)
		}
		h := receive(t, headers, "request")
		change.Go(func() {
			for n := range 100 {
				h.request.Set("X-Own", "changed")
				h.request.Set(fmt.Sprint("X-", n), "new")
				h.response.Set("X-Own", "changed")
				h.response.Set(fmt.Sprint("X-", n), "new")
			}
		})
	}
	change.Wait()
}

func keptWriterDisturbsNobody(t *test) {
	if t.target.NoLateWrites {
		t.Skip("with this target a ResponseWriter must not be used after its handler")
	}
	kept := make(chan http.ResponseWriter, 1)
	stop := make(chan struct{})
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/beside" {
			echoBody(w, r)
			return
		}
		io.WriteString(w, r.RequestURI)
		kept <- w
	})
	wait := s.beside(t, stop)
	c := s.dial(t)
	for i := range 50 {
		c.send(get("/keep"))
		c.wants(200, "/keep")
		w := receive(t, kept, "request")
		var use sync.WaitGroup
		use.Go(func() { useLate(t, w) })
		for n := range 5 {
			c.send(post("/beside", fmt.Sprint(i, n)))
			c.wants(200, fmt.Sprintf("/beside %d %d <nil>", i, n))
		}
		use.Wait()
	}
	close(stop)
	wait()
}

// useLate calls every method of a ResponseWriter whose handler has returned.
func useLate(t *test, w http.ResponseWriter) {
	late := strings.Repeat("LATE", 2000)
	if _, err := io.WriteString(w, late); err == nil {
		t.T.Errorf("Write after the handler has not failed")
	}
	w.Header().Set("X-Late", "late")
	w.WriteHeader(500)
	io.Copy(w, strings.NewReader(late))
	io.Copy(w, bufio.NewReader(strings.NewReader(late)))
	rc := http.NewResponseController(w)
	rc.Flush()
	rc.SetReadDeadline(time.Unix(1, 0))
	rc.SetWriteDeadline(time.Unix(1, 0))
	rc.EnableFullDuplex()
	w.Write(nil)
}

func keptContextStaysEnded(t *test) {
	kept := make(chan context.Context, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { kept <- r.Context() })
	c := s.dial(t)
	c.exchange(get("/"))
	ctx := receive(t, kept, "request")
	receive(t, ctx.Done(), "end of the context")
	for range 20 {
		c.exchange(get("/"))
		next := receive(t, kept, "request")
		if ctx.Err() == nil || next == ctx {
			t.Fatalf("context of the first request: %v, the same object as a later one: %v", ctx.Err(), next == ctx)
		}
		ran := make(chan bool)
		context.AfterFunc(ctx, func() { close(ran) })
		receive(t, ran, "call of AfterFunc on an ended context")
		if child, cancel := context.WithCancel(ctx); child.Err() == nil {
			cancel()
			t.Fatalf("a context derived from an ended one is alive")
		} else {
			cancel()
		}
	}
}
