package recyclingecho_test

import (
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"testing"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

func TestObserverLearnsTheRoutes(t *testing.T) {
	var rec *observe.Recorder
	observed := func(s *recycling.Server) { s.Observer = rec }
	for name, prepare := range map[string]func(*echo.Echo){
		"New": func(e *echo.Echo) { recyclingecho.New(e, observed) },
		"Pre": func(e *echo.Echo) { e.Pre(recyclingecho.ObserveRoutes) },
	} {
		t.Run(name, func(t *testing.T) {
			rec = observe.NewRecorder()
			e := echo.New()
			e.GET("/users/:id", func(c *echo.Context) error { return c.NoContent(http.StatusNoContent) })
			e.GET("/fails/:id", func(*echo.Context) error { return echo.ErrBadRequest })
			e.Group("/sub").GET("/:x/panic", func(*echo.Context) error { panic(http.ErrAbortHandler) })
			prepare(e)
			for _, path := range []string{"/users/1", "/users/2", "/fails/1", "/sub/y/panic", "/nowhere", "/users/"} {
				func() {
					defer func() { recover() }()
					observe.Handler(rec, e).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
				}()
			}
			got := map[string]uint64{}
			for _, r := range rec.Routes() {
				got[r.Route] += r.Duration.Count
			}
			if got["/users/:id"] < 2 || got["/fails/:id"] != 1 || got["/sub/:x/panic"] != 1 || len(got) > 4 {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestProfileRoutes(t *testing.T) {
	e := echo.New()
	e.Use(recyclingecho.ProfileRoutes)
	var route string
	e.GET("/users/:id", func(c *echo.Context) error {
		route, _ = pprof.Label(c.Request().Context(), "route")
		return nil
	})
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/users/7", nil))
	if route != "/users/:id" {
		t.Errorf("the label is %q, want the path", route)
	}
}
