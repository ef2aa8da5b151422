package recyclingecho_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
)

func TestCloseAbandons(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e := newEcho()
		entered := make(chan struct{})
		e.GET("/wait", func(c echo.Context) error {
			close(entered)
			<-c.Request().Context().Done()
			return nil
		})
		recyclingecho.Use(e, with(strategy))
		served := make(chan error, 1)
		go func() { served <- e.Start("127.0.0.1:0") }()
		url := "http://" + started(t, e.ListenerAddr).String() + "/wait"
		failed := make(chan error, 1)
		go func() {
			resp, err := http.Get(url)
			if err == nil {
				resp.Body.Close()
			}
			failed <- err
		}()
		<-entered
		ends(t, served, e.Close)
		if err := <-failed; err == nil {
			t.Error("the request was answered, want it to be cut off")
		}
	})
}

func TestCloseBeforeStart(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for name, end := range map[string]func(*echo.Echo) error{
			"Close":    (*echo.Echo).Close,
			"Shutdown": func(e *echo.Echo) error { return e.Shutdown(context.Background()) },
		} {
			e := newEcho()
			recyclingecho.Use(e, with(strategy))
			if err := end(e); err != nil {
				t.Error(err)
			}
			if err := e.Start("127.0.0.1:0"); !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("after %s Start returned %v, want %v", name, err, http.ErrServerClosed)
			}
		}
	})
}

// TestStartWhileClosing closes e at different times during its start.
func TestStartWhileClosing(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				e := newEcho()
				e.HidePort = i%2 == 0
				end := e.Close
				if i%3 == 0 {
					end = func() error { return e.Shutdown(context.Background()) }
				}
				recyclingecho.Use(e, with(strategy))
				served := make(chan error, 1)
				go func() { served <- e.Start("127.0.0.1:0") }()
				time.Sleep(time.Duration(i) * 10 * time.Microsecond)
				ends(t, served, end)
			})
		}
		wg.Wait()
	})
}
