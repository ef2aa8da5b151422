package recyclingecho_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
)

// serve serves l until the returned function is called.
func serve(t *testing.T, serve func(net.Listener) error, end func() error) (addr string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serve(l) }()
	return l.Addr().String(), func() {
		if err := end(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve returned %v, want %v", err, http.ErrServerClosed)
		}
	}
}

func get(t *testing.T, url string) (*http.Response, string) {
	tr := new(http.Transport)
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestPrintsWhatEchoPrints(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		hideBanner, hidePort bool
	}{
		{name: "all"},
		{name: "no banner", hideBanner: true},
		{name: "no port", hidePort: true},
		{name: "nothing", hideBanner: true, hidePort: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// printed returns what e printed until its start function returned.
			printed := func(start func(*echo.Echo, net.Listener) (end func() error, served func() error)) string {
				e, out := echo.New(), new(bytes.Buffer)
				e.HideBanner, e.HidePort = tt.hideBanner, tt.hidePort
				e.Logger.SetOutput(out)
				serving := make(chan struct{})
				e.Server.BaseContext = func(net.Listener) context.Context {
					close(serving)
					return t.Context()
				}
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				end, run := start(e, l)
				served := make(chan error, 1)
				go func() { served <- run() }()
				<-serving
				if err := end(); err != nil {
					t.Error(err)
				}
				<-served
				return strings.ReplaceAll(out.String(), l.Addr().String(), "ADDRESS")
			}
			want := printed(func(e *echo.Echo, l net.Listener) (_, _ func() error) {
				e.Listener = l
				return e.Close, func() error { return e.Start("") }
			})
			got := printed(func(e *echo.Echo, l net.Listener) (_, _ func() error) {
				s := recyclingecho.New(e)
				return s.Close, func() error { return s.Serve(l) }
			})
			if got != want {
				t.Errorf("printed\n%s\nwant, as echo does,\n%s", got, want)
			}
		})
	}
}

func TestServerSettingsHold(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		type key struct{}
		e, logged, states := echo.New(), make(chan string, 16), make(chan http.ConnState, 16)
		e.HideBanner, e.HidePort = true, true
		e.StdLogger = log.New(lines(logged), "", 0)
		e.Server.ReadHeaderTimeout = 50 * time.Millisecond
		e.Server.BaseContext = func(net.Listener) context.Context {
			return context.WithValue(context.Background(), key{}, "base")
		}
		e.Server.ConnState = func(_ net.Conn, s http.ConnState) {
			select {
			case states <- s:
			default:
			}
		}
		e.GET("/base", func(c echo.Context) error {
			return c.String(http.StatusOK, c.Request().Context().Value(key{}).(string))
		})
		e.GET("/panic", func(c echo.Context) error { panic("PANIC") })

		s := recyclingecho.New(e, func(s *recycling.Server) { s.Strategy = strategy })
		if s.HTTP != e.Server {
			t.Error("New does not use e.Server")
		}
		addr, stop := serve(t, s.Serve, s.Close)
		defer stop()

		if _, body := get(t, "http://"+addr+"/base"); body != "base" {
			t.Errorf("/base answers %q, want the value from e.Server.BaseContext", body)
		}
		if state := <-states; state != http.StateNew {
			t.Errorf("e.Server.ConnState was called with %v first, want %v", state, http.StateNew)
		}

		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\n")
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("with half a header Read returned %d, %v, want the end by e.Server.ReadHeaderTimeout", n, err)
		}

		c, err = net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET /panic HTTP/1.1\r\nHost: x\r\n\r\n")
		if line := <-logged; !strings.Contains(line, "http: panic serving") || !strings.Contains(line, "PANIC") {
			t.Errorf("e.StdLogger got %q, want the handler's panic", line)
		}
	})
}

// lines sends every write to a channel.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestServeRefusesListener(t *testing.T) {
	e := echo.New()
	e.ListenerNetwork = "tcp4"
	if err := recyclingecho.Serve(e); !errors.Is(err, recyclingecho.ErrListener) {
		t.Errorf("with ListenerNetwork tcp4 Serve returned %v, want %v", err, recyclingecho.ErrListener)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e = echo.New()
	e.Listener = l
	if err := recyclingecho.Serve(e); !errors.Is(err, recyclingecho.ErrListener) {
		t.Errorf("with a Listener Serve returned %v, want %v", err, recyclingecho.ErrListener)
	}
}

func TestAddress(t *testing.T) {
	t.Setenv("PORT", "1234")
	for _, tt := range []struct {
		name, want string
		addr       string
		options    []recycling.Option
	}{
		{"from PORT", ":1234", "", nil},
		{"from e.Server", ":5678", ":5678", nil},
		{"from an option", ":9", ":5678", []recycling.Option{recycling.Addr(":9")}},
	} {
		e := echo.New()
		e.Server.Addr = tt.addr
		if got := recyclingecho.New(e, tt.options...).HTTP.Addr; got != tt.want {
			t.Errorf("%s: Addr is %q, want %q", tt.name, got, tt.want)
		}
	}
}
