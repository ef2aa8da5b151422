package recyclingecho_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	"github.com/recycling-go/recycling/core/offload"
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
		// The only worker is here, so that another request finds none.
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
