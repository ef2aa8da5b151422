package http1

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"
)

// A kept is what a handler has kept of its request.
type kept struct {
	w http.ResponseWriter
	r *http.Request
	x *exchange
}

// use does with k everything that may affect a request. The handler has returned.
func (k kept) use() {
	w, ctl := k.w, http.NewResponseController(k.w)
	w.Header().Set("X-Late", "1")
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusEarlyHints)
	w.WriteHeader(http.StatusTeapot)
	w.Write([]byte("late"))
	w.Write(nil)
	io.WriteString(w, "late")
	w.(io.ReaderFrom).ReadFrom(strings.NewReader("late"))
	w.(http.Flusher).Flush()
	ctl.Flush()
	ctl.SetReadDeadline(time.Unix(1, 0))
	ctl.SetWriteDeadline(time.Unix(1, 0))
	ctl.EnableFullDuplex()
	for _, f := range []func(){
		func() { closeNotify(w) },
		func() { ctl.Hijack() },
	} {
		func() {
			defer func() { recover() }()
			f()
		}()
	}
	http.MaxBytesReader(w, io.NopCloser(strings.NewReader("late")), 1).Read(make([]byte, 4))
	k.r.Body.Read(make([]byte, 4))
	k.r.Body.Close()
	ctx := k.r.Context()
	<-ctx.Done()
	ctx.Err()
	ctx.Value(http.LocalAddrContextKey)
	context.AfterFunc(ctx, func() {})
	ctx.(*requestContext).SetRoute("late")
	ctx.(*requestContext).Wait(func() {})
	k.x.watch(ctx.(*requestContext)) // as if found in the context before the handler has returned
}

func closeNotify(w http.ResponseWriter) <-chan bool {
	//lint:ignore SA1019 applications use it
	return w.(http.CloseNotifier).CloseNotify()
}

// stale serves n requests, one after the other, and returns the responses. During each request it
// calls late with what the handler of the request before has kept.
func stale(t *testing.T, n int, late func(before kept)) (out string, exchanges map[*exchange]bool) {
	t.Helper()
	exchanges = map[*exchange]bool{}
	w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet}})
	var before kept
	useBefore := func() {
		if before.w != nil {
			late(before)
		}
	}
	w.srv.HTTP.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		exchanges[w.x] = true
		useBefore()
		rw.Header().Set("X-Request", r.URL.Path)
		useBefore()
		io.WriteString(rw, "response to ")
		useBefore()
		io.WriteString(rw, r.URL.Path)
		before = kept{rw, r, w.x}
	})
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i)
	}
	return regexp.MustCompile("Date: .*\r\n").ReplaceAllString(serveOn(t, w, in.String()), ""), exchanges
}

func TestWhatAHandlerHasKeptDoesNotAffectTheNextRequest(t *testing.T) {
	const n = 5
	want, _ := stale(t, n, func(kept) {})
	got, exchanges := stale(t, n, kept.use)
	if got != want {
		t.Errorf("the client got\n%s\nwant\n%s", got, want)
	}
	if len(exchanges) != 1 {
		t.Errorf("%d exchanges for %d requests, want that one is recycled", len(exchanges), n)
	}
}

// Goroutines that a handler has left behind may use what it has kept at any moment.
func TestGoroutinesOfEarlierRequestsDoNotAffectLaterOnes(t *testing.T) {
	const n = 200
	want, _ := stale(t, n, func(kept) {})
	var left sync.WaitGroup
	var using sync.Mutex // only one goroutine at a time may change a Header
	got, exchanges := stale(t, n, func(before kept) {
		left.Go(func() {
			using.Lock()
			defer using.Unlock()
			before.use()
		})
	})
	left.Wait()
	if got != want {
		t.Error("the client got other responses")
	}
	if len(exchanges) != 1 {
		t.Errorf("%d exchanges for %d requests, want that one is recycled", len(exchanges), n)
	}
}

// An exchange is not recycled while something else may refer to it.
func TestExchangeInUseIsNotRecycled(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		handler http.HandlerFunc
	}{
		"body":        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", func(w http.ResponseWriter, r *http.Request) {}},
		"Done":        {get, func(w http.ResponseWriter, r *http.Request) { r.Context().Done() }},
		"AfterFunc":   {get, func(w http.ResponseWriter, r *http.Request) { context.AfterFunc(r.Context(), func() {}) }},
		"CloseNotify": {get, func(w http.ResponseWriter, r *http.Request) { closeNotify(w) }},
		"ErrAbort":    {get, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }},
		"Hijack": {get, func(w http.ResponseWriter, r *http.Request) {
			nc, _, _ := http.NewResponseController(w).Hijack()
			nc.Close()
		}},
		"copying":      {get, func(w http.ResponseWriter, r *http.Request) { w.(*response).copying++ }},
		"bad request":  {"GET / HTTP/1.1\r\n\r\n", func(w http.ResponseWriter, r *http.Request) {}},
		"for contrast": {get, func(w http.ResponseWriter, r *http.Request) {}},
	} {
		w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet, Handler: c.handler}})
		serveOn(t, w, c.request)
		if recycled := w.spare != nil; recycled != (name == "for contrast") {
			t.Errorf("%s: recycled is %v", name, recycled)
		}
	}
}

// An idle worker keeps nothing of its last request in memory.
func TestSpareExchangeRefersToNothing(t *testing.T) {
	w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Trailer", "X-T")
		io.WriteString(rw, "a")
	})}})
	serveOn(t, w, "GET /a?b HTTP/1.1\r\nHost: example\r\nConnection: keep-alive\r\n\r\n")
	x := w.spare
	if x == nil {
		t.Fatal("the exchange was not recycled")
	}
	if x.worker != nil || x.c != nil || x.req != nil || x.ctx != nil || x.res != nil || x.given != nil || x.host != "" || x.watching != nil {
		t.Errorf("exchange: %+v", x)
	}
	if r := &x.reply; r.pre != nil || r.out != nil || r.fields != nil || r.trailers != nil {
		t.Errorf("reply: %+v", r)
	}
}

// A goroutine may be in a method of the ResponseWriter when the handler returns, and may still be
// there when the worker serves other requests.
func TestMethodThatOutlivesTheHandlerDoesNotAffectLaterRequests(t *testing.T) {
	for name, f := range map[string]func(http.ResponseWriter){
		"superfluous WriteHeader": func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusOK) }, // logs
		"CloseNotify": func(rw http.ResponseWriter) {
			defer func() { recover() }()
			closeNotify(rw)
		},
		"Write": func(rw http.ResponseWriter) { rw.Write([]byte("a")) },
		"Flush": func(rw http.ResponseWriter) { rw.(http.Flusher).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet}})
			var left sync.WaitGroup
			w.srv.HTTP.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.WriteHeader(http.StatusOK)
				left.Go(func() { f(rw) })
				runtime.Gosched()
			})
			for range 20 {
				serveOn(t, w, strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 100))
			}
			left.Wait()
		})
	}
}

// What a handler has kept must not keep another client's request in memory.
func TestResponseThatIsKeptDoesNotKeepALaterRequest(t *testing.T) {
	var keep http.ResponseWriter
	var later weak.Pointer[http.Request]
	func() {
		w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet}})
		w.srv.HTTP.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if keep == nil {
				keep = rw
			} else {
				later = weak.Make(r) // its exchange is not recycled
			}
		})
		serveOn(t, w, "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na")
	}()
	for range 10 {
		runtime.GC()
	}
	if later.Value() != nil {
		t.Error("it is still in memory")
	}
	runtime.KeepAlive(keep)
}

// A goroutine may go on reading the body while the handler takes over the connection.
func TestBodyIsReadWhileItsConnectionIsHijacked(t *testing.T) {
	w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet}})
	var left sync.WaitGroup
	w.srv.HTTP.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		left.Go(func() { r.Body.Read(make([]byte, 1)) })
		left.Go(func() { r.Body.Close() })
		runtime.Gosched()
		nc, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		nc.Close()
	})
	for range 200 {
		serveOn(t, w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
	}
	left.Wait()
}
