package recyclingecho_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

func TestOffloadLeavesRefusingToTheErrorHandler(t *testing.T) {
	p, err := offload.New(offload.Config{Workers: 1, Queue: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	e := echo.New()
	var seen error
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		seen = err
		e.DefaultHTTPErrorHandler(err, c)
	}
	e.GET("/", func(c echo.Context) error {
		// This handler occupies the only worker, so another request finds none.
		again := httptest.NewRecorder()
		e.ServeHTTP(again, httptest.NewRequest("GET", "/inner", nil))
		if again.Code != http.StatusServiceUnavailable || again.Header().Get("Retry-After") == "" || !errors.Is(seen, offload.ErrFull) {
			t.Errorf("answered with %d, Retry-After %q, after %v", again.Code, again.Header().Get("Retry-After"), seen)
		}
		return c.String(http.StatusOK, "done")
	}, recyclingecho.Offload(p))
	e.GET("/inner", func(c echo.Context) error { return c.String(http.StatusOK, "inner") }, recyclingecho.Offload(p))
	for range 2 {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != http.StatusOK || w.Body.String() != "done" {
			t.Errorf("answered with %d %q", w.Code, w.Body)
		}
	}
}

func TestOffloadLeavesTheRequestAlone(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		p, err := offload.New(offload.Config{Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		e := echo.New()
		r := httptest.NewRequest("GET", "/", nil)
		e.GET("/", func(c echo.Context) error {
			got := c.Request()
			if _, ok := got.Context().Deadline(); (got == r) == ok || ok != (timeout > 0) {
				t.Errorf("with Timeout %v: same request is %t, a deadline %t", timeout, got == r, ok)
			}
			return nil
		}, recyclingecho.Offload(p))
		for _, ctx := range []context.Context{context.Background(), t.Context()} {
			r = r.WithContext(ctx)
			e.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
}

func TestOffloadLeavesNoUploads(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprintf("Timeout=%v,panics=%t", timeout, panics), func(t *testing.T) {
				p, err := offload.New(offload.Config{Timeout: timeout})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
					e := echo.New()
					e.HideBanner, e.HidePort = true, true
					e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
						return func(c echo.Context) error {
							defer func() { recover() }()
							return next(c)
						}
					})
					e.POST("/", func(c echo.Context) error {
						if err := leak.SaveUpload(c.Response(), c.Request()); err != nil {
							t.Error(err)
						}
						if panics {
							panic("after saving")
						}
						return nil
					}, recyclingecho.Offload(p))
					s := recyclingecho.New(e, func(s *recycling.Server) { s.Strategy = strategy })
					addr, stop := serve(t, s.Serve, s.Close)
					defer stop()
					leak.Upload(t, addr)
				})
			})
		}
	}
}
