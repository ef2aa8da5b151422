package recyclingecho_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
)

func TestUse(t *testing.T) {
	for network, address := range map[string]string{
		"":     "127.0.0.1:0",
		"tcp4": ":0",
		"unix": filepath.Join(t.TempDir(), "socket"),
	} {
		t.Run(network, func(t *testing.T) {
			eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
				if network == "unix" && runtime.GOOS == "windows" {
					t.Skip("the path is too long here")
				}
				sc := loopback()
				sc.ListenerNetwork, sc.Address = network, address
				a := start(t, sc, newEcho(), with(strategy))
				if tcp, ok := a.addr.(*net.TCPAddr); ok && network == "tcp4" && tcp.IP.To4() == nil {
					t.Errorf("it listens on %v, want IPv4", tcp)
				}
				tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
					return net.Dial(a.addr.Network(), a.addr.String())
				}}
				asks(t, tr, "http://example.org", "HTTP/1.1 "+string(strategy))
				a.stops(t)
			})
		})
	}
}

func TestConnectionIsKeptAlive(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		a := start(t, loopback(), newEcho(), with(strategy))
		nc, err := net.Dial("tcp", a.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		r := bufio.NewReader(nc)
		for range 3 {
			io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if want := "HTTP/1.1 " + string(strategy); resp.Close || string(body) != want || err != nil {
				t.Errorf("the answer is %q (%v), to be closed: %t; want %q", body, err, resp.Close, want)
			}
		}
		a.stops(t) // does not wait for an idle connection
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("after the end reading returned %v, want EOF", err)
		}
	})
}

func TestUnencryptedHTTP2(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		sc := loopback()
		sc.BeforeServeFunc = func(s *http.Server) error {
			s.Protocols = new(http.Protocols)
			s.Protocols.SetHTTP1(true)
			s.Protocols.SetUnencryptedHTTP2(true)
			return nil
		}
		a := start(t, sc, newEcho(), with(strategy))
		asks(t, new(http.Transport), "http://"+a.addr.String(), "HTTP/1.1 "+string(strategy))
		asks(t, http2WithoutTLS(), "http://"+a.addr.String(), "HTTP/2.0")
		a.stops(t)
	})
}

// TestOneStarterStartsTwice runs several servers at the same time.
func TestOneStarterStartsTwice(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		addr := make(chan net.Addr, 2)
		sc := loopback()
		sc.ListenerAddrFunc = func(a net.Addr) { addr <- a }
		starter := recyclingecho.Use(sc, with(strategy))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		served := make(chan error, 2)
		for range 2 {
			go func() { served <- starter.Start(ctx, newEcho()) }()
		}
		first, second := <-addr, <-addr
		for _, a := range []net.Addr{first, second} {
			asks(t, new(http.Transport), "http://"+a.String(), "HTTP/1.1 "+string(strategy))
		}
		cancel()
		for range 2 {
			if err := <-served; err != nil {
				t.Errorf("Start returned %v, want nil", err)
			}
		}
	})
}

func TestGivenListenerIsServed(t *testing.T) {
	listen := func(t *testing.T, network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for name, l := range map[string]net.Listener{
			"TCP":     listen(t, "tcp", "127.0.0.1:0"),
			"unix":    listen(t, "unix", filepath.Join(t.TempDir(), "s")),
			"wrapped": struct{ net.Listener }{listen(t, "tcp", "127.0.0.1:0")},
		} {
			t.Run(name, func(t *testing.T) {
				sc := loopback()
				sc.Listener, sc.Address = l, "not used"
				a := start(t, sc, newEcho(), with(strategy))
				if a.addr != l.Addr() {
					t.Errorf("ListenerAddrFunc was called with %v, want %v", a.addr, l.Addr())
				}
				tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
					return net.Dial(a.addr.Network(), a.addr.String())
				}}
				asks(t, tr, "http://example.org", "HTTP/1.1 "+string(strategy))
				a.stops(t)
			})
		}
	})
}

// TestServerIsThatOfEcho compares the settings that BeforeServeFunc sees, and the order of the
// calls.
func TestServerIsThatOfEcho(t *testing.T) {
	stopped := errors.New("stopped")
	e := newEcho()
	found := func(start func(echo.StartConfig) error) (settings []any) {
		var called []string
		sc := loopback()
		sc.ListenerAddrFunc = func(a net.Addr) { called = append(called, fmt.Sprintf("ListenerAddrFunc(%T)", a)) }
		sc.BeforeServeFunc = func(s *http.Server) error {
			called = append(called, "BeforeServeFunc")
			for v, i := reflect.ValueOf(s).Elem(), 0; i < v.NumField(); i++ {
				if f := v.Type().Field(i); f.IsExported() && f.Type.Kind() != reflect.Func && f.Name != "ErrorLog" {
					settings = append(settings, f.Name, v.Field(i).Interface())
				}
			}
			return stopped
		}
		if err := start(sc); err != stopped {
			t.Errorf("Start returned %v, want %v", err, stopped)
		}
		return append(settings, called)
	}
	want := found(func(sc echo.StartConfig) error { return sc.Start(t.Context(), e) })
	got := found(func(sc echo.StartConfig) error { return recyclingecho.Use(sc).Start(t.Context(), e) })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found\n%v\nwant, as without Use,\n%v", got, want)
	}
}

func TestLogsWhatEchoLogs(t *testing.T) {
	for _, hide := range []struct{ banner, port bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		t.Run(fmt.Sprintf("%+v", hide), func(t *testing.T) {
			logged := func(start func(context.Context, echo.StartConfig, *echo.Echo) error) string {
				e, out := newEcho(), new(buffer)
				e.Logger = logTo(out)
				sc := loopback()
				sc.HideBanner, sc.HidePort = hide.banner, hide.port
				a := run(t, sc, func(ctx context.Context, sc echo.StartConfig) error { return start(ctx, sc, e) })
				a.stops(t)
				return strings.ReplaceAll(out.String(), a.addr.String(), "ADDRESS")
			}
			want := logged(func(ctx context.Context, sc echo.StartConfig, e *echo.Echo) error { return sc.Start(ctx, e) })
			got := logged(func(ctx context.Context, sc echo.StartConfig, e *echo.Echo) error {
				return recyclingecho.Use(sc).Start(ctx, e)
			})
			if got != want {
				t.Errorf("logged\n%s\nwant, as echo does,\n%s", got, want)
			}
		})
	}
}

// TestRefusedGetsTheAnswerOfEcho compares the response to a refused connection with that of a
// handler. The application's error handler must not be called, because no client has sent a
// request.
func TestRefusedGetsTheAnswerOfEcho(t *testing.T) {
	e := newEcho()
	e.GET("/refuse", func(*echo.Context) error { return echo.ErrServiceUnavailable })
	byHand := start(t, loopback(), e)
	resp, want := get(t, new(http.Transport), "http://"+byHand.addr.String()+"/refuse")
	wantType := resp.Header.Get("Content-Type")

	e = newEcho()
	e.HTTPErrorHandler = func(*echo.Context, error) { t.Error("the error handler was called") }
	entered, leave := make(chan bool), make(chan bool)
	e.GET("/wait", func(c *echo.Context) error {
		entered <- true
		<-leave
		return c.NoContent(http.StatusOK)
	})
	a := start(t, loopback(), e, func(s *recycling.Server) {
		s.Strategy, s.MaxConns, s.RefuseConns = recycling.Recycling, 1, true
	})
	answered := make(chan string, 1)
	go func() {
		resp, _ := get(t, new(http.Transport), "http://"+a.addr.String()+"/wait")
		answered <- resp.Status
	}()
	<-entered
	resp, body := get(t, new(http.Transport), "http://"+a.addr.String())
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 503 || ct != wantType || body != want {
		t.Errorf("what is refused got %s, %s, %q, want 503, %s, %q", resp.Status, ct, body, wantType, want)
	}
	close(leave)
	if status := <-answered; status != "200 OK" {
		t.Errorf("what is served got %s", status)
	}
	a.stops(t)
}

func TestPanicIsLogged(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e, out := newEcho(), new(buffer)
		e.Logger = logTo(out)
		e.GET("/panic", func(*echo.Context) error { panic("PANIC") })
		a := start(t, loopback(), e, with(strategy))
		if resp, err := http.Get("http://" + a.addr.String() + "/panic"); err == nil {
			resp.Body.Close()
			t.Errorf("the request got %s, want that the connection ends", resp.Status)
		}
		asks(t, new(http.Transport), "http://"+a.addr.String(), "HTTP/1.1 "+string(strategy))
		a.stops(t)
		if log := out.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "http: panic serving") || !strings.Contains(log, "PANIC") {
			t.Errorf("e.Logger got %q, want the panic", log)
		}
	})
}

// TestHijackedConnectionOutlivesStart lets a handler take over the connection as a WebSocket
// library does.
func TestHijackedConnectionOutlivesStart(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e := newEcho()
		e.GET("/chat", func(c *echo.Context) error {
			nc, rw, err := c.Response().(http.Hijacker).Hijack()
			if err != nil {
				return err
			}
			defer nc.Close()
			io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
			for {
				line, err := rw.ReadString('\n')
				if err != nil {
					return nil
				}
				io.WriteString(nc, "you said "+line)
			}
		})
		a := start(t, loopback(), e, with(strategy))
		nc, err := net.Dial("tcp", a.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(30 * time.Second))
		io.WriteString(nc, "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\none\n")
		r := bufio.NewReader(nc)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("the answer is %v, %v, want 101", resp, err)
		}
		a.stops(t)
		io.WriteString(nc, "two\n")
		for _, want := range []string{"you said one\n", "you said two\n"} {
			if line, err := r.ReadString('\n'); line != want {
				t.Errorf("read %q (%v), want %q", line, err, want)
			}
		}
	})
}
