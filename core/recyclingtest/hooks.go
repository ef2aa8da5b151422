package recyclingtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

var hooks = []behaviour{
	hooksAndHandlerSeeOneConnection,
	connContextReachesTheHandler,
	baseContextReachesTheHandler,
	endOfTheBaseContextEndsRequests,
	onShutdownIsCalledByShutdown,
	onShutdownIsNotCalledByClose,
	onShutdownIsCalledWithRequestsInFlight,
	contextHasTheServer,
	connContextHasTheServerToo,
	contextsOfHooksAreSharedAsNested,
	causeOfTheBaseContextIsTheRequests,
	deadlineOfTheBaseContextIsTheRequests,
}

type connKey struct{}

// hooksAndHandlerSeeOneConnection: applications keep maps of connections.
func hooksAndHandlerSeeOneConnection(t *test) {
	t.needHooks()
	var seen states
	hijacked := make(chan [2]net.Conn, 1)
	s := t.start(&http.Server{
		ConnState:   seen.hook,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.RequestURI != "/hijack" {
				return
			}
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				hijacked <- [2]net.Conn{c, r.Context().Value(connKey{}).(net.Conn)}
				c.Close()
			}
		}),
	})
	c := s.dial(t)
	c.goesOn()
	c.send(get("/hijack"))
	got := receive(t, hijacked, "connection")
	if got[0] != got[1] {
		t.Errorf("Hijack and ConnContext have different connections")
	}
	s.end()
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.conns) != 1 || seen.conns[0] != got[0] {
		t.Errorf("ConnState saw %d connections, the hijacked one among them: %v", len(seen.conns), slices.Contains(seen.conns, got[0]))
	}
	if want := fmt.Sprintf("%T", c.Conn); fmt.Sprintf("%T", got[0]) != want {
		t.Errorf("connection is a %T, want %s", got[0], want)
	}
}

func connContextReachesTheHandler(t *test) {
	t.needHooks()
	var n int
	var mu sync.Mutex
	s := t.start(&http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			mu.Lock()
			defer mu.Unlock()
			n++
			if ctx.Value(http.ServerContextKey) == nil {
				t.T.Error("context of ConnContext has no ServerContextKey")
			}
			return context.WithValue(ctx, connKey{}, fmt.Sprint("connection ", n))
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Context().Value(connKey{}))
		}),
	})
	for i := range 3 {
		c := s.dial(t)
		for range 3 {
			c.send(get("/"))
			c.wants(200, fmt.Sprint("connection ", i+1))
		}
	}
}

func baseContextReachesTheHandler(t *test) {
	t.needHooks()
	addr := make(chan net.Addr, 9)
	s := t.start(&http.Server{
		BaseContext: func(l net.Listener) context.Context {
			addr <- l.Addr()
			return context.WithValue(context.Background(), connKey{}, "base")
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Context().Value(connKey{}), " ", r.Context().Value(http.ServerContextKey) != nil)
		}),
	})
	for range 2 {
		c := s.dial(t)
		c.send(get("/"))
		c.wants(200, "base true")
	}
	if got := receive(t, addr, "call of BaseContext"); got.String() != s.Addr.String() {
		t.Errorf("listener's address is %v, want %v", got, s.Addr)
	}
	if len(addr) != 0 {
		t.Errorf("BaseContext was called again")
	}
}

func endOfTheBaseContextEndsRequests(t *test) {
	t.needHooks()
	base, cancel := context.WithCancel(context.Background())
	defer cancel()
	entered := make(chan bool, 1)
	c := t.start(&http.Server{
		BaseContext: func(net.Listener) context.Context { return base },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- true
			<-r.Context().Done()
			io.WriteString(w, "ended")
		}),
	}).dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	cancel()
	c.wants(200, "ended")
}

func onShutdownIsCalledByShutdown(t *test) {
	t.needHooks()
	called := make(chan int, 9)
	srv := &http.Server{Handler: http.HandlerFunc(echoTarget)}
	srv.RegisterOnShutdown(func() { called <- 1 })
	srv.RegisterOnShutdown(func() { called <- 2 })
	s := t.start(srv)
	s.dial(t).goesOn()
	if err := receive(t, s.shutdown(t), "end of Shutdown"); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if sum := receive(t, called, "call") + receive(t, called, "call"); sum != 3 {
		t.Errorf("one function was called twice")
	}
}

func onShutdownIsNotCalledByClose(t *test) {
	t.needHooks()
	called := make(chan bool, 1)
	srv := &http.Server{Handler: http.HandlerFunc(echoTarget)}
	srv.RegisterOnShutdown(func() { called <- true })
	s := t.start(srv)
	s.dial(t).goesOn()
	s.end()
	if len(called) != 0 {
		t.Errorf("Close called the function for Shutdown")
	}
}

// onShutdownIsCalledWithRequestsInFlight: it is for streams, which would otherwise never end.
func onShutdownIsCalledWithRequestsInFlight(t *test) {
	t.needHooks()
	stop, entered := make(chan struct{}), make(chan bool, 1)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-stop
		io.WriteString(w, "last event")
	})}
	srv.RegisterOnShutdown(func() { close(stop) })
	s := t.start(srv)
	c := s.dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	down := s.shutdown(t)
	c.wants(200, "last event")
	succeeds(t, down)
}

func contextHasTheServer(t *test) {
	t.needHooks()
	got := make(chan any, 1)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Context().Value(http.ServerContextKey)
	})}
	t.start(srv).dial(t).exchange(get("/"))
	if v := receive(t, got, "request"); v != srv {
		t.Errorf("ServerContextKey is %T %p, want the Server %p", v, v, srv)
	}
}

func connContextHasTheServerToo(t *test) {
	t.needHooks()
	got := make(chan any, 1)
	srv := &http.Server{Handler: http.HandlerFunc(echoTarget)}
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		got <- ctx.Value(http.ServerContextKey)
		return ctx
	}
	t.start(srv).dial(t).exchange(get("/"))
	if v := receive(t, got, "connection"); v != srv {
		t.Errorf("ServerContextKey is %T %p, want the Server %p", v, v, srv)
	}
}

// contextsOfHooksAreSharedAsNested: ConnContext gets the context of BaseContext, and the handlers
// get that of ConnContext.
func contextsOfHooksAreSharedAsNested(t *test) {
	t.needHooks()
	type base struct{}
	type conn struct{}
	s := t.start(&http.Server{
		BaseContext: func(net.Listener) context.Context { return context.WithValue(context.Background(), base{}, "base") },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, conn{}, fmt.Sprint(ctx.Value(base{}), " ", c.RemoteAddr()))
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Context().Value(conn{}), " ", r.Context().Value(base{}))
		}),
	})
	for range 2 {
		c := s.dial(t)
		for range 2 {
			c.send(get("/"))
			if a := c.answer("GET"); s.Addr.Network() == "tcp" && a.text != fmt.Sprint("base ", c.LocalAddr(), " base") {
				t.Errorf("values are %q", a.text)
			}
		}
	}
}

func causeOfTheBaseContextIsTheRequests(t *test) {
	t.needHooks()
	base, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	entered := make(chan bool, 1)
	c := t.start(&http.Server{
		BaseContext: func(net.Listener) context.Context { return base },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, stop := context.WithCancel(r.Context())
			defer stop()
			entered <- true
			<-ctx.Done()
			fmt.Fprint(w, context.Cause(r.Context()), ", ", context.Cause(ctx), ", ", r.Context().Err())
		}),
	}).dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	cancel(errors.New("the cause"))
	c.wants(200, "the cause, the cause, context canceled")
}

func deadlineOfTheBaseContextIsTheRequests(t *test) {
	t.needHooks()
	deadline := time.Now().Add(short)
	base, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	c := t.start(&http.Server{
		BaseContext: func(net.Listener) context.Context { return base },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d, ok := r.Context().Deadline()
			<-r.Context().Done()
			fmt.Fprint(w, ok, d.Equal(deadline), r.Context().Err())
		}),
	}).dial(t)
	c.send(get("/"))
	c.wants(200, fmt.Sprint(true, true, context.DeadlineExceeded))
}
