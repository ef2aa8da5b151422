package recyclingecho_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// eachTransport runs f with a server started by Start, and with one started by StartTLS.
func eachTransport(t *testing.T, f func(t *testing.T, begin func(echo.StartConfig, *echo.Echo) (*app, *http.Client, string))) {
	cert := selfsigned.NewTest(t, "example.org")
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS=", secure), func(t *testing.T) {
			eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
				f(t, func(sc echo.StartConfig, e *echo.Echo) (*app, *http.Client, string) {
					tr := transport(cert, false)
					t.Cleanup(tr.CloseIdleConnections)
					client := &http.Client{Transport: tr, Timeout: 30 * time.Second}
					if secure {
						a := startTLS(t, sc, e, cert, with(strategy))
						return a, client, "https://" + a.addr.String()
					}
					a := start(t, sc, e, with(strategy))
					return a, client, "http://" + a.addr.String()
				})
			})
		})
	}
}

func TestEndOfTheContextAnswersRequestsInFlight(t *testing.T) {
	eachTransport(t, func(t *testing.T, begin func(echo.StartConfig, *echo.Echo) (*app, *http.Client, string)) {
		e := newEcho()
		entered, leave := make(chan bool), make(chan bool)
		e.GET("/wait", func(c *echo.Context) error {
			entered <- true
			<-leave
			return c.String(http.StatusOK, "late")
		})
		sc := loopback()
		sc.OnShutdownError = func(err error) { t.Errorf("OnShutdownError was called with %v", err) }
		a, client, url := begin(sc, e)
		late := make(chan string, 1)
		go func() {
			_, body := get(t, client.Transport.(*http.Transport), url+"/wait")
			late <- body
		}()
		<-entered
		a.cancel()
		for !refuses(a.addr.String()) {
			time.Sleep(time.Millisecond)
		}
		select {
		case err := <-a.served:
			t.Fatalf("Start returned %v while a request was in flight", err)
		default:
		}
		close(leave)
		if body := <-late; body != "late" {
			t.Errorf("the request in flight got %q, want late", body)
		}
		a.ends(t)
	})
}

// stream adds a handler that sends an event for each value from events. Only the end of its context
// ends it.
func stream(e *echo.Echo, events <-chan bool) (ended chan bool) {
	ended = make(chan bool, 1)
	e.GET("/events", func(c *echo.Context) error {
		defer func() { ended <- true }()
		for n := 0; ; n++ {
			fmt.Fprintln(c.Response(), "event", n)
			http.NewResponseController(c.Response()).Flush()
			select {
			case <-events:
			case <-c.Request().Context().Done():
				return nil
			}
		}
	})
	return ended
}

// TestGracefulTimeout stops a server while an event stream is open: echo reports that, and leaves
// the stream open.
func TestGracefulTimeout(t *testing.T) {
	eachTransport(t, func(t *testing.T, begin func(echo.StartConfig, *echo.Echo) (*app, *http.Client, string)) {
		for _, told := range []bool{true, false} {
			e, out, events := newEcho(), new(buffer), make(chan bool)
			e.Logger = logTo(out)
			ended := stream(e, events)
			failed := make(chan error, 1)
			sc := loopback()
			sc.GracefulTimeout = 50 * time.Millisecond
			if told {
				sc.OnShutdownError = func(err error) { failed <- err }
			}
			a, client, url := begin(sc, e)
			resp, err := client.Get(url + "/events")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			lines := bufio.NewScanner(resp.Body)
			wantEvent(t, lines, 0)
			a.stops(t)
			if told {
				if err := <-failed; err != context.DeadlineExceeded {
					t.Errorf("OnShutdownError was called with %v, want %v", err, context.DeadlineExceeded)
				}
			} else if log := out.String(); !strings.Contains(log, "failed to shut down server within given timeout") {
				t.Errorf("logged %q, want that the timeout is over", log)
			}
			events <- true
			wantEvent(t, lines, 1)
			if err := a.srv.Close(); err != nil {
				t.Errorf("Close returned %v", err)
			}
			<-ended
			if lines.Scan() {
				t.Errorf("after Close there is %q", lines.Text())
			}
		}
	})
}

func wantEvent(t *testing.T, lines *bufio.Scanner, n int) {
	t.Helper()
	if want := fmt.Sprint("event ", n); !lines.Scan() || lines.Text() != want {
		t.Fatalf("read %q (%v), want %q", lines.Text(), lines.Err(), want)
	}
}

// TestNegativeGracefulTimeout leaves it to the application to stop the http.Server.
func TestNegativeGracefulTimeout(t *testing.T) {
	eachTransport(t, func(t *testing.T, begin func(echo.StartConfig, *echo.Echo) (*app, *http.Client, string)) {
		for name, stop := range map[string]func(*http.Server) error{
			"Shutdown": func(s *http.Server) error { return s.Shutdown(context.Background()) },
			"Close":    (*http.Server).Close,
		} {
			sc := loopback()
			sc.GracefulTimeout = -1
			a, client, url := begin(sc, newEcho())
			a.cancel()
			resp, err := client.Get(url)
			if err != nil {
				t.Fatalf("after the end of the context: %v", err)
			}
			resp.Body.Close()
			if err := stop(a.srv); err != nil {
				t.Errorf("%s returned %v", name, err)
			}
			a.ends(t)
		}
	})
}

// TestStartWhileStopping stops a server at different times during its start. Nothing may be left of
// it.
func TestStartWhileStopping(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		before := runtime.NumGoroutine()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(time.Duration(i-10)*20*time.Microsecond, cancel)
				if err := recyclingecho.Use(loopback(), with(strategy)).Start(ctx, newEcho()); err != nil {
					t.Errorf("Start returned %v, want nil", err)
				}
			})
		}
		wg.Wait()
		deadline := time.Now().Add(30 * time.Second)
		for runtime.NumGoroutine() > before+5 {
			if time.Now().After(deadline) {
				t.Fatalf("%d goroutines, want the %d of before", runtime.NumGoroutine(), before)
			}
			time.Sleep(time.Millisecond)
		}
	})
}
