package recyclinggin_test

import (
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"testing"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	"github.com/recycling-go/recycling/core/observe"
)

func TestMiddlewareTellsTheRoutes(t *testing.T) {
	rec := observe.NewRecorder()
	engine := gin.New()
	engine.Use(recyclinggin.ObserveRoutes)
	engine.GET("/users/:id", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	engine.Group("/sub").GET("/:x/panic", func(*gin.Context) { panic(http.ErrAbortHandler) })
	for _, path := range []string{"/users/1", "/users/2", "/sub/y/panic", "/nowhere"} {
		func() {
			defer func() { recover() }()
			observe.Handler(rec, engine).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
		}()
	}
	got := map[string]uint64{}
	for _, r := range rec.Routes() {
		got[r.Route] += r.Duration.Count
	}
	if len(got) != 3 || got["/users/:id"] != 2 || got["/sub/:x/panic"] != 1 || got[""] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestProfileRoutes(t *testing.T) {
	engine := gin.New()
	engine.Use(recyclinggin.ProfileRoutes)
	var route string
	engine.GET("/users/:id", func(c *gin.Context) { route, _ = pprof.Label(c.Request.Context(), "route") })
	engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/users/7", nil))
	if route != "/users/:id" {
		t.Errorf("the label is %q, want the path", route)
	}
}
