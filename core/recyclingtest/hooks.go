package recyclingtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
)

var hooks = []behaviour{
	hooksAndHandlerSeeOneConnection,
	connContextReachesTheHandler,
	baseContextReachesTheHandler,
	endOfTheBaseContextEndsRequests,
	onShutdownIsCalledByShutdown,
	onShutdownIsNotCalledByClose,
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
