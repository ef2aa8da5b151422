package recyclingecho_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
)

// TestNewHasTheTimeoutsOfEcho compares the timeouts with those of a server that echo starts.
func TestNewHasTheTimeoutsOfEcho(t *testing.T) {
	a := run(t, loopback(), func(ctx context.Context, sc echo.StartConfig) error { return sc.Start(ctx, newEcho()) })
	e := newEcho()
	got, want := recyclingecho.New(e).HTTP, a.srv
	if got.Handler != e {
		t.Errorf("Handler is %v, want the Echo", got.Handler)
	}
	if got.ReadTimeout != want.ReadTimeout || got.ReadHeaderTimeout != want.ReadHeaderTimeout ||
		got.WriteTimeout != want.WriteTimeout || got.IdleTimeout != want.IdleTimeout || got.MaxHeaderBytes != want.MaxHeaderBytes {
		t.Errorf("New makes %+v, want the timeouts of %+v", got, want)
	}
	a.stops(t)
}

func TestNewLogsToTheLoggerOfEcho(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e, out := newEcho(), new(buffer)
		e.Logger = logTo(out)
		e.GET("/panic", func(*echo.Context) error { panic("PANIC") })
		addr, stop := serve(t, recyclingecho.New(e, with(strategy)))
		if resp, err := http.Get("http://" + addr + "/panic"); err == nil {
			resp.Body.Close()
			t.Errorf("the request got %s, want that the connection ends", resp.Status)
		}
		asks(t, new(http.Transport), "http://"+addr, "HTTP/1.1 "+string(strategy))
		stop()
		if log := out.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "PANIC") {
			t.Errorf("e.Logger got %q, want the panic", log)
		}
	})
}

func TestAddress(t *testing.T) {
	for _, tt := range []struct {
		name, port, want string
		options          []recycling.Option
	}{
		{"from nothing", "", ":8080", nil},
		{"from PORT", "1234", ":1234", nil},
		{"from an option", "1234", ":9", []recycling.Option{recycling.Addr(":9")}},
	} {
		t.Setenv("PORT", tt.port)
		if got := recyclingecho.New(newEcho(), tt.options...).HTTP.Addr; got != tt.want {
			t.Errorf("%s: Addr is %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestServeEndsWithSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself a signal here")
	}
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		err := recyclingecho.Serve(newEcho(), recycling.Addr("127.0.0.1:0"), func(s *recycling.Server) {
			s.Strategy = strategy
			s.HTTP.BaseContext = func(net.Listener) context.Context { // called when it serves
				if p, err := os.FindProcess(os.Getpid()); err != nil || p.Signal(syscall.SIGTERM) != nil {
					t.Error("cannot send a signal")
				}
				return context.Background()
			}
		})
		if err != nil {
			t.Errorf("Serve returned %v, want nil", err)
		}
	})
}

// TestNewServesOnTwoListeners serves both at the same time, which echo's own StartConfig cannot do.
func TestNewServesOnTwoListeners(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		s := recyclingecho.New(newEcho(), with(strategy))
		first, stop := serve(t, s)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		for _, addr := range []string{first, l.Addr().String()} {
			asks(t, new(http.Transport), "http://"+addr, "HTTP/1.1 "+string(strategy))
		}
		stop()
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve of the second listener returned %v, want %v", err, http.ErrServerClosed)
		}
	})
}
