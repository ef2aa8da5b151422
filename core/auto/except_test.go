package auto

import (
	"net"
	"net/http"
	"testing"
)

type listenerAt struct {
	net.Listener
	addr net.Addr
}

func (l listenerAt) Addr() net.Addr { return l.addr }

func TestExceptions(t *testing.T) {
	tcp := func(host string, port int) net.Addr { return &net.TCPAddr{IP: net.ParseIP(host), Port: port} }
	for _, c := range []struct {
		env, configured string
		addr            net.Addr
		excepted, fails bool
	}{
		{"", ":80", tcp("::", 80), false, false},
		{" , ", ":80", tcp("::", 80), false, false},
		{"127.0.0.1:6060", "", tcp("127.0.0.1", 6060), true, false},
		{"127.0.0.1:6060", "", tcp("127.0.0.1", 6061), false, false},
		{"127.0.0.1:6060", "", tcp("127.0.0.2", 6060), false, false},
		{"127.0.0.1:1, :6060", "", tcp("::1", 6060), true, false},
		{"localhost:6060", "localhost:6060", tcp("127.0.0.1", 6060), true, false},
		{"localhost:6060", "", tcp("127.0.0.1", 6060), false, false},
		{"0.0.0.0:6060", "", tcp("::", 6060), true, false},
		{"[::1]:6060", "", tcp("::1", 6060), true, false},
		{"[0:0::1]:6060", "", tcp("::1", 6060), true, false},
		{"/run/a.sock", "", &net.UnixAddr{Name: "/run/a.sock", Net: "unix"}, true, false},
		{"@a", "", &net.UnixAddr{Name: "@a", Net: "unix"}, true, false},
		{"/run/b.sock", "", &net.UnixAddr{Name: "/run/a.sock", Net: "unix"}, false, false},
		{":6060", "", &net.UnixAddr{Name: "/run/a.sock", Net: "unix"}, false, false},
		{":6060", "", nil, false, false},
		{"6060", "", tcp("::", 6060), false, true},
		{":6060,host", "", tcp("::", 6060), false, true},
		{":http", "", tcp("::", 80), false, true},
		{":65536", "", tcp("::", 80), false, true},
	} {
		t.Setenv(EnvExcept, c.env)
		got, err := isExcepted(&http.Server{Addr: c.configured}, listenerAt{addr: c.addr})
		if got != c.excepted || (err != nil) != c.fails {
			t.Errorf("%q on %v: %v, %v", c.env, c.addr, got, err)
		}
	}
}

// Without the command recycle this package has no effect.
func TestNothingHappensWithoutTheCommand(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(http.ServerContextKey) == nil {
			t.Error("another server")
		}
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	resp, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	srv.Close()
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}
