package recycling_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

func TestListenerClosedByItsOwner(t *testing.T) {
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, hello)
		c := s.dial(t)
		c.get("/")
		s.listener.Close()
		s.ended(t, net.ErrClosed)
		for range 3 {
			c.get("/")
		}
		c.Close()
		s.await(t, "the end of the workers", func(st recycling.Stats) bool {
			return st.Open == 0 && (m.strategy != recycling.Recycling || st.Workers == 0)
		})
		leavesNothing(t)

		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		again := serve(s.Server, l)
		if body := again.once(t, "/"); body != "hello" {
			t.Errorf("answer %q", body)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		again.ended(t, http.ErrServerClosed)
	})
}

func TestConnectionsOutliveTheirListenerBesideAnother(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, hello)
		c := s.dial(t)
		c.get("/")
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		other := serve(s.Server, l)
		other.once(t, "/")
		s.listener.Close()
		s.ended(t, net.ErrClosed)
		c.get("/")
		other.once(t, "/")
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		other.ended(t, http.ErrServerClosed)
		c.ended()
	})
}

func listenUnix(t testing.TB) (net.Listener, error) {
	dir, err := os.MkdirTemp("", "recycling") // t.TempDir may be too long for a socket
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return net.Listen("unix", filepath.Join(dir, "s"))
}

func TestOneServerServesSeveralListeners(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
		})
		all := []*instance{s}
		unix := func() (net.Listener, error) { return listenUnix(t) }
		for _, listen := range []func() (net.Listener, error){listenOwn, listenNet, listenWrapped, unix} {
			l, err := listen()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, serve(s.Server, l))
		}
		var idle []*client
		for _, s := range all {
			c := s.dial(t)
			for range 3 {
				if got := c.get("/"); got != s.addr.String() {
					t.Errorf("served by %s, want %s", got, s.addr)
				}
				if got := s.once(t, "/"); got != s.addr.String() {
					t.Errorf("served by %s, want %s", got, s.addr)
				}
			}
			idle = append(idle, c)
		}
		s.await(t, "the end of the short connections", func(st recycling.Stats) bool {
			return st.Open == int64(len(all)) && st.Closed == 3*int64(len(all))
		})
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		for i, s := range all {
			s.ended(t, http.ErrServerClosed)
			idle[i].ended()
		}
	})
}
