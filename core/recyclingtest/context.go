package recyclingtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

var contexts = []behaviour{
	contextEndsWhenTheClientGoesAway,
	contextEndsWhenTheClientResets,
	contextEndsBetweenWritesWhenTheClientGoesAway,
	contextEndsAfterTheHandler,
	contextIsAliveWhileTheHandlerRuns,
	contextIsNotEndedByPipelinedBytes,
	contextOfEachRequestIsItsOwn,
	derivedContextsEndWhenTheClientGoesAway,
	contextEndsWithAFailingWrite,
	contextHasServerAndAddress,
	contextHasNoDeadline,
	halfClosedClientGetsItsResponse,
	closeNotifierFiresWhenTheClientGoesAway,
	closeNotifierIsSilentOtherwise,
	closeNotifyAfterTheHandlerPanics,
}

// requestsAtRest are requests after which the client sends nothing until it has the response. Their
// handler must read the body.
var requestsAtRest = map[string]string{
	"GET":           get("/"),
	"POST, fixed":   post("/", "body"),
	"POST, chunked": chunked("/", "body"),
	"POST, empty":   post("/", ""),
	"HTTP/1.0":      "GET / HTTP/1.0\r\n\r\n",
}

// leaves checks that the request's context ends when the client does what leave does.
func (t *test) leaves(leave func(*wire), during func(http.ResponseWriter)) {
	for name, raw := range requestsAtRest {
		t.each(name, func(t *test) {
			entered, ended := make(chan bool, 1), make(chan error, 1)
			s := t.serve(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				during(w)
				entered <- r.Context().Err() == nil
				<-r.Context().Done()
				ended <- r.Context().Err()
			})
			c := s.dial(t)
			c.send(raw)
			if !receive(t, entered, "request") {
				t.Errorf("context ended too early")
			}
			leave(c)
			if err := receive(t, ended, "end of the context"); !errors.Is(err, context.Canceled) {
				t.Errorf("context's error is %v, want Canceled", err)
			}
		})
	}
}

func contextEndsWhenTheClientGoesAway(t *test) {
	t.leaves(func(c *wire) { c.Close() }, func(http.ResponseWriter) {})
}

func contextEndsWhenTheClientResets(t *test) {
	t.leaves((*wire).reset, func(http.ResponseWriter) {})
}

func contextEndsBetweenWritesWhenTheClientGoesAway(t *test) {
	t.leaves(func(c *wire) { c.head(); c.Close() }, func(w http.ResponseWriter) {
		io.WriteString(w, "first")
		w.(http.Flusher).Flush()
	})
}

func contextEndsAfterTheHandler(t *test) {
	ctx := make(chan context.Context, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) { ctx <- r.Context() }).dial(t)
	for _, raw := range []string{get("/"), post("/", "abc"), get("/")} {
		c.exchange(raw)
		ctx := receive(t, ctx, "request")
		receive(t, ctx.Done(), "end of the context")
		if err := ctx.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("context's error is %v, want Canceled", err)
		}
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("context's cause is %v, want Canceled", err)
		}
	}
}

func contextIsAliveWhileTheHandlerRuns(t *test) {
	g, entered := t.newGate(), make(chan bool, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/other" {
			return
		}
		stop := context.AfterFunc(r.Context(), func() {})
		done := r.Context().Done()
		entered <- true
		<-g
		select {
		case <-done:
			fmt.Fprint(w, "done ")
		default:
		}
		fmt.Fprint(w, r.Context().Err(), stop())
	})
	c, other := s.dial(t), s.dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	for range 20 {
		other.exchange(get("/other"))
	}
	g.open()
	c.wants(200, "<nil> true")
}

func contextIsNotEndedByPipelinedBytes(t *test) {
	entered, leave := make(chan bool, 2), make(chan bool)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/other" {
			return
		}
		done := r.Context().Done()
		entered <- true
		<-leave
		select {
		case <-done:
			fmt.Fprint(w, "done ")
		default:
		}
		fmt.Fprint(w, r.Context().Err())
	})
	defer close(leave)
	c, other := s.dial(t), s.dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	c.send(get("/"))
	for range 20 {
		other.exchange(get("/other")) // gives the server time to notice
	}
	give(t, leave, true)
	c.wants(200, "<nil>")
	receive(t, entered, "pipelined request")
	give(t, leave, true)
	c.wants(200, "<nil>")
}

func contextOfEachRequestIsItsOwn(t *test) {
	ctx := make(chan context.Context, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		select {
		case earlier := <-ctx:
			fmt.Fprint(w, earlier.Err(), " ", r.Context().Err())
		default:
		}
		ctx <- r.Context()
	}).dial(t)
	c.send(get("/") + get("/"))
	c.wants(200, "")
	c.wants(200, "context canceled <nil>")
}

func derivedContextsEndWhenTheClientGoesAway(t *test) {
	entered, ended := make(chan bool, 1), make(chan string, 4)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		timeout, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		child, cancel := context.WithCancel(context.WithValue(timeout, connKey{}, "value"))
		defer cancel()
		ran := make(chan bool)
		context.AfterFunc(child, func() { close(ran) })
		entered <- true
		<-child.Done()
		<-timeout.Done()
		<-ran
		ended <- fmt.Sprint(child.Err(), timeout.Err(), ctx.Err(), child.Value(connKey{}))
	})
	c := s.dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	c.Close()
	if got, want := receive(t, ended, "end of the contexts"), fmt.Sprint(context.Canceled, context.Canceled, context.Canceled, "value"); got != want {
		t.Errorf("contexts report %s", got)
	}
}

func contextEndsWithAFailingWrite(t *test) {
	entered, write, ended := make(chan bool, 1), t.newGate(), make(chan error, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/other" {
			return
		}
		entered <- true
		<-write
		writeUntilItFails(w)
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	c, other := s.dial(t), s.dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	c.send(get("/")) // a server that leaves these bytes unread may not see the end behind them
	for range 20 {
		other.exchange(get("/other"))
	}
	c.reset()
	write.open()
	if err := receive(t, ended, "end of the context"); !errors.Is(err, context.Canceled) {
		t.Errorf("context's error is %v, want Canceled", err)
	}
}

func contextHasServerAndAddress(t *test) {
	values := make(chan [2]any, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		values <- [2]any{ctx.Value(http.ServerContextKey), ctx.Value(http.LocalAddrContextKey)}
	})
	s.dial(t).exchange(get("/"))
	v := receive(t, values, "request")
	if srv, ok := v[0].(*http.Server); !ok || srv == nil {
		t.Errorf("ServerContextKey is a %T, want *http.Server", v[0])
	}
	if addr, ok := v[1].(net.Addr); !ok || addr.String() != s.Addr.String() || addr.Network() != s.Addr.Network() {
		t.Errorf("LocalAddrContextKey is %v, want %v", v[1], s.Addr)
	}
}

func contextHasNoDeadline(t *test) {
	result := make(chan bool, 1)
	s := t.start(&http.Server{
		ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: patience,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, ok := r.Context().Deadline()
			result <- ok
		}),
	})
	s.dial(t).exchange(get("/"))
	if receive(t, result, "request") {
		t.Errorf("context has a deadline")
	}
}

func halfClosedClientGetsItsResponse(t *test) {
	want := pattern(100_000)
	for name, raw := range requestsAtRest {
		t.each(name, func(t *test) {
			entered, g := make(chan bool, 1), t.newGate()
			c := t.serve(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				entered <- true
				<-g
				io.WriteString(w, want)
			}).dial(t)
			c.send(raw)
			receive(t, entered, "request")
			c.halfClose()
			g.open()
			c.wants(200, want)
			c.ends()
		})
	}
}

func closeNotifierFiresWhenTheClientGoesAway(t *test) {
	entered, gone := make(chan bool, 1), make(chan bool, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		//lint:ignore SA1019 it is deprecated, and used by applications
		notify := w.(http.CloseNotifier).CloseNotify()
		entered <- true
		gone <- <-notify
	})
	c := s.dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	c.Close()
	if !receive(t, gone, "notification") {
		t.Errorf("notification is false")
	}
}

func closeNotifierIsSilentOtherwise(t *test) {
	channels := make(chan (<-chan bool), 2)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		//lint:ignore SA1019 it is deprecated, and used by applications
		channels <- w.(http.CloseNotifier).CloseNotify()
	}).dial(t)
	c.exchange(get("/"))
	c.exchange(get("/"))
	for range 2 {
		select {
		case <-receive(t, channels, "request"):
			t.Errorf("notified though the client is there")
		default:
		}
	}
}

func closeNotifyAfterTheHandlerPanics(t *test) {
	writer := make(chan http.ResponseWriter, 9)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) { writer <- w }).dial(t)
	c.exchange(get("/"))
	w := receive(t, writer, "request")
	c.exchange(get("/")) // the first request has certainly ended then
	//lint:ignore SA1019 it is deprecated, and used by applications
	notifier, ok := w.(http.CloseNotifier)
	if !ok {
		t.Fatalf("the ResponseWriter is no http.CloseNotifier")
	}
	defer func() {
		if v := recover(); v == nil {
			t.Errorf("CloseNotify after the handler has not panicked")
		}
		c.goesOn()
	}()
	notifier.CloseNotify()
}
