package recyclingecho_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

func newPool(t *testing.T, c offload.Config) *offload.Pool {
	t.Helper()
	p, err := offload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestOffloadLeavesRefusingToTheErrorHandler(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 1, Queue: -1})
	e := echo.New()
	var seen error
	answer := e.HTTPErrorHandler
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		seen = err
		answer(c, err)
	}
	e.GET("/", func(c *echo.Context) error {
		// This handler occupies the only worker, so another request finds none.
		again := httptest.NewRecorder()
		e.ServeHTTP(again, httptest.NewRequest("GET", "/inner", nil))
		if again.Code != http.StatusServiceUnavailable || again.Header().Get("Retry-After") == "" || !errors.Is(seen, offload.ErrFull) {
			t.Errorf("answered with %d, Retry-After %q, after %v", again.Code, again.Header().Get("Retry-After"), seen)
		}
		return c.String(http.StatusOK, "done")
	}, recyclingecho.Offload(p))
	e.GET("/inner", func(c *echo.Context) error { return c.String(http.StatusOK, "inner") }, recyclingecho.Offload(p))
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
		p := newPool(t, offload.Config{Timeout: timeout})
		e := echo.New()
		r := httptest.NewRequest("GET", "/", nil)
		e.GET("/", func(c *echo.Context) error {
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
				p := newPool(t, offload.Config{Timeout: timeout})
				eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
					e := echo.New()
					e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
						return func(c *echo.Context) error {
							defer func() { recover() }()
							return next(c)
						}
					})
					e.POST("/", func(c *echo.Context) error {
						if err := leak.SaveUpload(c.Response(), c.Request()); err != nil {
							t.Error(err)
						}
						if panics {
							panic("after saving")
						}
						return nil
					}, recyclingecho.Offload(p))
					addr, stop := serve(t, recyclingecho.New(e, with(strategy)))
					defer stop()
					leak.Upload(t, addr)
				})
			})
		}
	}
}
